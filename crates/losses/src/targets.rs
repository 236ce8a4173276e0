//! Label and edge maps in main memory, checked.

use candle_core::{DType, Result, Tensor, bail};

/// The bytes of a batch of maps.
pub(crate) struct Map {
    pub(crate) values: Vec<u8>,
    /// Images, rows, columns.
    pub(crate) dims: (usize, usize, usize),
}

impl Map {
    /// The bytes of a (N, H, W) u8 tensor; `what` names it in errors.
    pub(crate) fn read(map: &Tensor, what: &str) -> Result<Self> {
        match (map.dims(), map.dtype()) {
            (&[n, h, w], DType::U8) => {
                let values = map.flatten_all()?.to_vec1()?;
                Ok(Self { values, dims: (n, h, w) })
            }
            (dims, dtype) => bail!("{what} must be (N, H, W) u8, not {dims:?} {dtype:?}"),
        }
    }

    /// The bytes of a map of edges, which are 0 and 1 alone.
    pub(crate) fn read_edges(edges: &Tensor) -> Result<Self> {
        let map = Self::read(edges, "edges")?;
        map.check("edge", "0 or 1", |edge| edge <= 1)?;
        Ok(map)
    }

    /// An error naming the first value for which `fits` is false.
    pub(crate) fn check(&self, what: &str, wanted: &str, fits: impl Fn(u8) -> bool) -> Result<()> {
        let Some(at) = self.values.iter().position(|&value| !fits(value)) else { return Ok(()) };
        let (_, h, w) = self.dims;
        let (image, row, column) = (at / (h * w), at / w % h, at % w);
        bail!("{what} {} at image {image}, row {row}, column {column} is not {wanted}", self.values[at])
    }

    /// How many values are not `ignore`.
    pub(crate) fn valid(&self, ignore: u8) -> usize {
        self.values.iter().filter(|&&value| value != ignore).count()
    }

    /// The values of each image.
    pub(crate) fn images(&self) -> impl Iterator<Item = &[u8]> {
        let (_, h, w) = self.dims;
        self.values.chunks_exact((h * w).max(1))
    }
}

/// `sum / by`, or 0 with gradient 0 when there is nothing to divide by.
pub(crate) fn divided(sum: &Tensor, by: f64) -> Result<Tensor> {
    match by > 0.0 {
        true => sum / by,
        // By a tensor: the product with the number 0 would have no gradient at all.
        false => sum * sum.zeros_like()?,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn wrong_maps_are_named() -> Result<()> {
        let edges = Tensor::from_vec(vec![0u8, 1, 0, 0, 1, 0, 0, 255], (2, 2, 2), &Device::Cpu)?;
        let error = Map::read_edges(&edges).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("edge 255 at image 1, row 1, column 1 is not 0 or 1"), "{error}");
        let error = Map::read(&edges.flatten(1, 2)?, "edges").err().map(|error| error.to_string());
        assert!(error.as_ref().is_some_and(|text| text.contains("edges must be (N, H, W) u8")), "{error:?}");
        Map::read(&edges.to_dtype(DType::U32)?, "edges").err().expect("u32 is refused");
        Ok(())
    }
}
