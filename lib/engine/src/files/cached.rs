//! What was made of files, for as long as these are as they were: a service asks for the same ones at each request.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::Stamp;

/// What was made of files, by the path of the first of them. Threads can share it.
#[derive(Debug)]
pub(crate) struct Cached<T>(Mutex<HashMap<PathBuf, (Looked, T)>>);

/// Files as they were before they were read, those that were not there too.
#[derive(Debug, Default)]
pub(crate) struct Looked(Vec<(PathBuf, Option<Stamp>)>);

impl Looked {
    /// Notes a file that is read next, or that must stay there.
    pub(crate) fn at(&mut self, path: &Path) {
        self.0.push((path.to_owned(), Stamp::of(path)));
    }

    fn still_holds(&self) -> bool {
        self.0.iter().all(|(path, seen)| *seen == Stamp::of(path))
    }
}

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Cached<T> {
    /// What was made of a file, made again if it or another one that counted has changed. `make` has to note the others
    /// before it reads them. An error is kept by nobody.
    pub(crate) fn get<E>(
        &self,
        path: &Path,
        make: impl FnOnce(&mut Looked) -> Result<T, E>,
    ) -> Result<T, E> {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((looked, made)) = known().get(path)
            && looked.still_holds()
        {
            return Ok(made.clone());
        }
        let mut looked = Looked::default();
        looked.at(path);
        let made = make(&mut looked)?;
        known().insert(path.to_owned(), (looked, made.clone()));
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::fs;

    use super::*;

    #[test]
    fn it_is_made_again_when_one_of_its_files_changes_comes_or_goes() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (dir.path().join("first"), dir.path().join("second"));
        fs::write(&first, "1").unwrap();
        let cached = Cached::default();
        let text = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let get = || {
            let made = cached.get::<Infallible>(&first, |looked| {
                looked.at(&second);
                Ok(text(&first) + &text(&second))
            });
            made.unwrap()
        };
        assert_eq!((get(), get()), ("1".into(), "1".into()));
        fs::write(&second, "2").unwrap();
        assert_eq!(get(), "12");
        // Of the same length, in its place.
        fs::write(dir.path().join("next"), "3").unwrap();
        fs::rename(dir.path().join("next"), &first).unwrap();
        assert_eq!(get(), "32");
        fs::remove_file(&second).unwrap();
        assert_eq!(get(), "3");
        let failed = cached.get(&second, |_| Err("not there"));
        assert_eq!(failed, Err("not there"));
    }
}
