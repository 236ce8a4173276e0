//! Whole networks against PyTorch's results in f64.

mod agrnet;
mod network;
