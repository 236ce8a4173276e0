//! What procedural sets draw with: chance, noise, outlines, a canvas with labels, light and a camera.
//!
//! Places and lengths are in picture widths, so that a scene is the same at every size.

pub(crate) mod canvas;
pub(crate) mod colour;
pub(crate) mod dice;
pub(crate) mod geometry;
pub(crate) mod light;
pub(crate) mod mask;
pub(crate) mod noise;
pub(crate) mod path;
pub(crate) mod sensor;
