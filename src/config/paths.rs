//! Relative paths: a file's are relative to that file, so that a gateway may be started
//! from anywhere; a variable's are relative to the working folder.

use std::path::{Path, PathBuf};

use super::Settings;
use super::layers::Layers;

const SQLITE: &str = "sqlite:";

/// Makes the settings' relative paths good from the working folder.
pub(super) fn resolve(settings: &mut Settings, layers: &Layers) {
    let Some(folder) = layers.file.as_deref().and_then(Path::parent) else { return };
    for (key, file) in [
        ("upstream.ca_file", &mut settings.upstream.ca_file),
        ("store.ca_file", &mut settings.store.ca_file),
    ] {
        if let Some(file) = file
            && !layers.is_from_environment(key)
        {
            *file = folder.join(&file);
        }
    }
    if !layers.is_from_environment("points.keys") {
        for file in settings.points.keys.iter_mut().filter_map(|key| key.file.as_mut()) {
            *file = folder.join(&file);
        }
    }
    if let Some(file) = settings.store.url.strip_prefix(SQLITE)
        && !file.is_empty()
        && !layers.is_from_environment("store.url")
    {
        let file: PathBuf = folder.join(file);
        settings.store.url = format!("{SQLITE}{}", file.display());
    }
}
