//! Tells Tauri where our capabilities stand and which commands exist, and keeps its generated schemas beside the sources.

fn main() {
    println!("cargo:rerun-if-changed=src-tauri/build.rs");
    println!("cargo:rerun-if-changed=src-tauri/capabilities");
    println!("cargo:rerun-if-changed=ui/dist");
    // `generate_context!` embeds ui/dist; an empty folder keeps `cargo check` working before the first UI build.
    let _ = std::fs::create_dir_all("ui/dist");
    let attributes = tauri_build::Attributes::new()
        .capabilities_path_pattern("src-tauri/capabilities/**/*")
        .app_manifest(tauri_build::AppManifest::new().commands(&["call"]));
    if let Err(error) = tauri_build::try_build(attributes) {
        println!("cargo:warning={error:#}");
        std::process::exit(1);
    }
    // tauri-build hard-codes ./gen/schemas.
    let _ = std::fs::remove_dir_all("src-tauri/gen");
    let _ = std::fs::rename("gen", "src-tauri/gen");
}
