//! Whole networks against PyTorch's results in f64.

mod agrnet;
mod deeplab;
mod hair;
mod network;
mod pspnet;
mod recompute;
mod segmentation;
mod unet;
