//! Makes the built files of the dashboard part of the program, each with its compressed form.
//!
//! They are looked for in `dist` beside this file, where a published crate has them, and else where
//! the repository has them. Without any the server says that it was built without pages.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a build that fails says so by this")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

fn main() {
    let here = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap());
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap());
    let places = [here.join("dist"), here.join("../../web/dist")];
    // A path that is not there makes cargo run this, and compile the crate, each time: so only those
    // that are, unless none is and one may come.
    let there = places.iter().any(|place| place.is_dir());
    for place in places.iter().filter(|place| place.is_dir() || !there) {
        println!("cargo::rerun-if-changed={}", place.display());
    }
    let mut files = Vec::new();
    if let Some(dist) = places.iter().find(|place| place.is_dir()) {
        collect(dist, dist, &mut files);
    }
    files.sort();
    let mut table = String::from("static FILES: &[File] = &[\n");
    for (number, (name, path)) in files.iter().enumerate() {
        println!("cargo::rerun-if-changed={}", path.display());
        let plain = std::fs::read(path).expect("a built file of the pages can be read");
        let hash = Sha256::digest(&plain);
        let etag: String = hash.iter().take(12).fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&plain).unwrap();
        let gzip = gzip.finish().unwrap();
        let packed = out.join(format!("{number}.gz"));
        let smaller = gzip.len() < plain.len();
        std::fs::write(&packed, &gzip).unwrap();
        let gzip = match smaller {
            true => format!("Some(include_bytes!({packed:?}))"),
            false => "None".to_owned(),
        };
        let media_type = media_type(name);
        let etag = format!("\"{etag}\"");
        let _ = writeln!(
            table,
            "File {{ path: {name:?}, media_type: {media_type:?}, etag: {etag:?}, \
             plain: include_bytes!({path:?}), gzip: {gzip} }},"
        );
    }
    table.push_str("];\n");
    std::fs::write(out.join("pages.rs"), table).unwrap();
}

/// Every file below `dir`, by its path below `top`.
fn collect(top: &Path, dir: &Path, files: &mut Vec<(String, PathBuf)>) {
    for entry in std::fs::read_dir(dir).expect("the built pages can be listed") {
        let path = entry.unwrap().path();
        if path.is_dir() {
            println!("cargo::rerun-if-changed={}", path.display());
            collect(top, &path, files);
        } else {
            let name = path.strip_prefix(top).unwrap().to_str().expect("names are UTF-8");
            files.push((name.replace('\\', "/"), path.canonicalize().unwrap()));
        }
    }
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webmanifest" => "application/manifest+json",
        "json" | "map" => "application/json",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
