//! Where things are.

use std::env;
use std::path::{Path, PathBuf};

/// The folder of the workspace: that of the cargo which runs this. A folder from compile time could be another
/// checkout's, where checkouts share what they build.
pub(crate) fn root() -> PathBuf {
    let own = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    own.as_deref().and_then(Path::parent).map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Where installed tools are kept: `MIMAR_CACHE`, or `mimar` in the user's cache folder (XDG base directories).
pub(crate) fn cache() -> PathBuf {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("MIMAR_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("mimar")))
        .or_else(|| set("HOME").map(|home| home.join(".cache").join("mimar")))
        .unwrap_or_else(|| env::temp_dir().join("mimar-cache"))
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The release binary.
pub(crate) fn binary() -> PathBuf {
    target().join("release").join(format!("mimar{}", env::consts::EXE_SUFFIX))
}

/// The cargo that runs this.
pub(crate) fn cargo() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}
