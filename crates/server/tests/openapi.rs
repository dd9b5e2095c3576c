//! The document of the API as it is checked in, from which the pages' types are generated.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

/// Invariant: `web/src/api/openapi.json` is what the server's own types say.
///
/// `TIDEGATE_WRITE=1 cargo test -p tidegate-server --test openapi` writes it anew.
#[test]
fn the_document_in_the_repository_is_that_of_the_server() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/src/api/openapi.json");
    let document = serde_json::to_string_pretty(&tidegate_server::live::openapi()).unwrap() + "\n";
    if std::env::var_os("TIDEGATE_WRITE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &document).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == document,
        "web/src/api/openapi.json is not what the types say: write it anew with \
         `TIDEGATE_WRITE=1 cargo test -p tidegate-server --test openapi`, then the pages' types"
    );
}
