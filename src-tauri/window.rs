//! The one window and what the system knows about it.

use parley_client::Engine;
use parley_domain::protocol::Problem;
use serde_json::Value;
use tauri::{AppHandle, Manager, RunEvent, State, WebviewUrl, WebviewWindowBuilder};

use crate::options::Options;
use crate::{ipc, notify};

/// The single command of the webview: everything else is in the list of [`ipc`].
#[tauri::command]
async fn call(engine: State<'_, Engine>, name: String, args: Value) -> Result<Value, Problem> {
    ipc::dispatch(&engine, &name, args).await
}

/// Opens the window and returns when it was closed and the engine has stopped.
pub fn run(options: Options) -> Result<(), String> {
    let mut builder = tauri::Builder::default();
    if options.data_dir.is_none() {
        // A desk on a folder of its own may stand beside the member's usual one; the folder's lock keeps each to one program.
        builder = builder.plugin(tauri_plugin_single_instance::init(|app, _arguments, _folder| to_front(app)));
    }
    let app = builder
        .plugin(tauri_plugin_notification::init())
        .plugin(tauri_plugin_updater::Builder::new().build())
        .invoke_handler(tauri::generate_handler![call])
        .setup(move |app| {
            let handle = app.handle().clone();
            // The engine opens its files while the webview starts.
            let folder = match &options.data_dir {
                Some(folder) => folder.clone(),
                None => app.path().app_local_data_dir()?,
            };
            let engine = tauri::async_runtime::block_on(crate::engine(folder));
            app.manage(engine.clone());
            open(app)?;
            notify::watch_clicks(&handle);
            #[cfg(feature = "bridge")]
            if options.bridge.is_some() {
                let (engine, address, ui) = (engine.clone(), options.bridge, options.ui_dir.clone());
                tauri::async_runtime::spawn(async move { crate::bridge::serve(engine, address, ui).await });
            }
            tauri::async_runtime::spawn(notify::forward(handle, engine));
            Ok(())
        })
        .build(tauri::generate_context!())
        .map_err(|error| error.to_string())?;
    app.run(|app, event| {
        if let RunEvent::Exit = event {
            let engine = app.state::<Engine>().inner().clone();
            tauri::async_runtime::block_on(async move { engine.close().await });
        }
    });
    Ok(())
}

fn open(app: &tauri::App) -> tauri::Result<()> {
    WebviewWindowBuilder::new(app, "main", WebviewUrl::default())
        .title("Parley")
        .inner_size(1440.0, 900.0)
        .min_inner_size(720.0, 520.0)
        // Everything the window shows is in the bundle: it may go nowhere else.
        .on_navigation(|url| {
            url.scheme() == "tauri"
                || matches!(url.host_str(), Some("tauri.localhost"))
                || url.as_str() == "about:blank"
        })
        .build()
        .map(|_| ())
}

fn to_front(app: &AppHandle) {
    if let Some(window) = app.get_webview_window("main") {
        let _ = window.unminimize();
        let _ = window.show();
        let _ = window.set_focus();
    }
}
