//! Where a config's faces come from.

use sconce_data::{faces, folder, nia};
use serde::Deserialize;

/// One of `[data.nia]`, `[data.folder]` and `[data.faces]`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum FaceData {
    Nia(nia::Config),
    Folder(folder::Config),
    Faces(faces::Config),
}
