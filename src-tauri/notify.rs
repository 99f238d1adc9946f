//! Shows what the engine decided to tell the member, and brings a click back as [`Event::Open`].

use parley_client::Engine;
use parley_client::views::Event;
use parley_domain::ConversationId;
use tauri::{AppHandle, Emitter, Manager};
use tauri_plugin_notification::NotificationExt;

const CONVERSATION: &str = "conversation";

/// Reports clicks from now on. Must run before the first notification is shown.
pub fn watch_clicks(app: &AppHandle) {
    let handle = app.clone();
    let watching = app.notification().on_action(move |performed| {
        let notification = serde_json::to_value(performed).unwrap_or_default();
        let conversation = notification
            .pointer(&format!("/notification/extra/{CONVERSATION}"))
            .and_then(|id| id.as_str())
            .and_then(|id| id.parse().ok());
        if let Some(conversation) = conversation {
            if let Some(window) = handle.get_webview_window("main") {
                let _ = window.unminimize();
                let _ = window.show();
                let _ = window.set_focus();
            }
            let _ = handle.emit_to("main", "parley", Event::Open { conversation });
        }
    });
    if watching.is_err() {
        tracing::warn!("clicks on notifications are not reported here");
    }
}

/// Shows one notification.
pub fn show(app: &AppHandle, conversation: ConversationId, title: &str, body: Option<&str>) {
    let shown = app
        .notification()
        .builder()
        .title(title)
        .body(body.unwrap_or("New message"))
        .extra(CONVERSATION, conversation.to_string())
        .show();
    if shown.is_err() {
        tracing::warn!("the notification could not be shown");
    }
}

/// Hands engine events to the window and to the notification centre until the engine stops.
pub async fn forward(app: AppHandle, engine: Engine) {
    use tokio::sync::broadcast::error::RecvError;
    let mut events = engine.subscribe();
    loop {
        match events.recv().await {
            Ok(Event::Notify { conversation, title, body }) => show(&app, conversation, &title, body.as_deref()),
            Ok(event) => {
                let _ = app.emit_to("main", "parley", event);
            }
            // The window fell behind: everything it shows may be stale.
            Err(RecvError::Lagged(_)) => {
                for event in [Event::Phase, Event::Connection, Event::Lists, Event::Board, Event::Outbox] {
                    let _ = app.emit_to("main", "parley", event);
                }
            }
            Err(RecvError::Closed) => return,
        }
    }
}
