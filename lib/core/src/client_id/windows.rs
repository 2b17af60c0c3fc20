//! Names that Windows keeps for itself (Microsoft: "Naming Files, Paths, and Namespaces").

/// Devices that have a name in every directory, whatever ending stands behind it.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

/// Whether no file and no directory can have this name on Windows: `con`, `NUL.txt`, `COM1`, a dot or a space at the
/// end, which Windows takes away. A name that is made on another system may be copied there, so this counts everywhere.
pub fn is_kept_by_windows(name: &str) -> bool {
    if name.ends_with(['.', ' ']) {
        return true;
    }
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |port: &str| {
        let number = stem.strip_prefix(port).map(str::chars);
        number.is_some_and(|mut number| {
            // Windows takes the superscript digits of Latin-1 for digits.
            let one = number.next().is_some_and(|c| c.is_ascii_digit() || "¹²³".contains(c));
            one && number.next().is_none()
        })
    };
    DEVICES.contains(&stem.as_str()) || numbered("COM") || numbered("LPT")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client_id::DeviceId;

    /// Microsoft's list, and the forms in which it is met.
    fn kept() -> Vec<String> {
        let ports = ["COM", "LPT"]
            .into_iter()
            .flat_map(|port| "0123456789¹²³".chars().map(move |number| format!("{port}{number}")));
        let names: Vec<String> =
            ["CON", "PRN", "AUX", "NUL"].map(str::to_owned).into_iter().chain(ports).collect();
        let forms = |name: &String| {
            let lower = name.to_lowercase();
            [
                name.clone(),
                format!("{lower}.txt"),
                format!("{lower}.tar.gz"),
                format!("{lower} .txt"),
                lower,
            ]
        };
        names
            .iter()
            .flat_map(forms)
            .chain(["x.", "x ", "CONIN$", "conout$"].map(str::to_owned))
            .collect()
    }

    #[test]
    fn the_list_of_microsoft() {
        for name in kept() {
            assert!(is_kept_by_windows(&name), "{name:?}");
        }
        for name in
            ["console", "com", "com10", "com1x", "aux-1", "x.con", "nul_", "lpt", "é", "a b", ""]
        {
            assert!(!is_kept_by_windows(name), "{name:?}");
        }
    }

    #[test]
    fn no_id_of_a_device_becomes_such_a_name() {
        for name in kept() {
            let Ok(id) = DeviceId::parse(&name) else { continue };
            let made = id.file_name();
            assert!(!is_kept_by_windows(&made), "{name:?} becomes {made:?}");
        }
    }
}
