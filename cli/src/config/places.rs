//! Where the settings of a user are (XDG Base Directory Specification 0.8).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The name of the directory.
const OURS: &str = "c8y-pki";

/// The directory of the settings: `$XDG_CONFIG_HOME/c8y-pki`, else `~/.config/c8y-pki`; on Windows
/// `%APPDATA%\c8y-pki`. None where no variable names one.
fn folder() -> Option<PathBuf> {
    match cfg!(windows) {
        true => std::env::var_os("APPDATA").map(|dir| Path::new(&dir).join(OURS)),
        false => of(std::env::var_os("XDG_CONFIG_HOME"), std::env::var_os("HOME")),
    }
}

/// The file with that name in it.
pub(crate) fn path(name: &str) -> Option<PathBuf> {
    folder().map(|folder| folder.join(name))
}

fn of(config: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    // The specification says that a path which is not absolute is to be ignored.
    let absolute = |dir: OsString| Some(PathBuf::from(dir)).filter(|dir| dir.is_absolute());
    let config = config.and_then(absolute);
    let config = config.or_else(|| home.and_then(absolute).map(|home| home.join(".config")));
    config.map(|config| config.join(OURS))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_rules_of_xdg() {
        let of = |config: &str, home: &str| {
            let set = |text: &str| Some(OsString::from(text)).filter(|text| !text.is_empty());
            of(set(config), set(home)).map(|path| path.display().to_string())
        };
        assert_eq!(of("/c", "/h").as_deref(), Some("/c/c8y-pki"));
        assert_eq!(of("", "/h").as_deref(), Some("/h/.config/c8y-pki"));
        assert_eq!(of("relative", "/h").as_deref(), Some("/h/.config/c8y-pki"));
        assert_eq!(of("", ""), None);
    }
}
