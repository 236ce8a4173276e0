//! AGRNet's loss against its definition written out in f64, its gradients against finite differences, and odd batches.

use candle_core::{DType, Device, Result, Tensor, Var};
use proptest::prelude::*;
use sconce_losses::agrnet::{Config, Terms, agrnet};
use sconce_tensors::testing::{check_gradient, hashed_signed, hashed_uniform};

fn config(all_vertices: bool) -> Config {
    Config { parsing: 1.0, edge: 1.0, boundary: 1.0, distance: 0.5, all_vertices }
}

/// What a network would return, logits at the labels' size and the rest at smaller ones, and random targets.
struct Batch {
    outputs: [Tensor; 4],
    labels: Tensor,
    edges: Tensor,
}

impl Batch {
    fn new(n: usize, classes: usize, (h, w): (usize, usize), seed: u64) -> Result<Self> {
        let signed = |name: &str, shape: &[usize]| hashed_signed(&format!("{name} {seed}"), shape, 2.0);
        let small = (h.div_ceil(4), w.div_ceil(3));
        let outputs = [
            signed("logits", &[n, classes, h, w]),
            signed("initial", &[n, classes, small.0, small.1]),
            signed("edge", &[n, 2, small.0, small.1]),
            hashed_signed(&format!("vertices {seed}"), (n, classes * 2, 5), 0.7),
        ];
        let label = |u: f32| if u < 0.1 { 255 } else { ((u - 0.1) / 0.9 * classes as f32) as u8 };
        let labels = bytes(&format!("labels {seed}"), (n, h, w), label)?;
        let edges = bytes(&format!("edges {seed}"), (n, h, w), |u| u8::from(u < 0.3))?;
        Ok(Self { outputs, labels, edges })
    }

    fn loss(&self, outputs: &[Tensor], config: &Config) -> Result<Terms> {
        let [logits, initial, edge, vertices] = outputs else { panic!("four outputs") };
        agrnet(logits, initial, edge, vertices, &self.labels, &self.edges, config)
    }
}

fn bytes(name: &str, shape: (usize, usize, usize), value: impl Fn(f32) -> u8) -> Result<Tensor> {
    let u: Vec<f32> = hashed_uniform(name, shape).flatten_all()?.to_vec1()?;
    Tensor::from_vec(u.into_iter().map(value).collect::<Vec<u8>>(), shape, &Device::Cpu)
}

/// Scores of one pixel, resized as PyTorch's `interpolate(mode="bilinear", align_corners=False)`.
struct Scores {
    values: Vec<Vec<Vec<Vec<f64>>>>,
}

impl Scores {
    fn new(tensor: &Tensor) -> Result<Self> {
        let (n, c, _, _) = tensor.dims4()?;
        let plane = |i: usize, k: usize| tensor.get(i)?.get(k)?.to_dtype(DType::F64)?.to_vec2::<f64>();
        let image = |i: usize| (0..c).map(|k| plane(i, k)).collect::<Result<Vec<_>>>();
        Ok(Self { values: (0..n).map(image).collect::<Result<_>>()? })
    }

    /// -log softmax at (y, x) of a map of h rows and w columns.
    fn loss(&self, image: usize, class: usize, (y, x): (usize, usize), (h, w): (usize, usize)) -> f64 {
        let scores: Vec<f64> = self.values[image].iter().map(|plane| sample(plane, (y, x), (h, w))).collect();
        let sum: f64 = scores.iter().map(|score| (score - scores[class]).exp()).sum();
        sum.ln()
    }
}

fn sample(plane: &[Vec<f64>], (y, x): (usize, usize), (h, w): (usize, usize)) -> f64 {
    let at = |i: usize, out: usize, size: usize| {
        let position = ((i as f64 + 0.5) * size as f64 / out as f64 - 0.5).max(0.0);
        let low = (position as usize).min(size - 1);
        (low, (low + 1).min(size - 1), position - low as f64)
    };
    let (top, bottom, dy) = at(y, h, plane.len());
    let (left, right, dx) = at(x, w, plane[0].len());
    let row = |y: usize| plane[y][left] * (1.0 - dx) + plane[y][right] * dx;
    row(top) * (1.0 - dy) + row(bottom) * dy
}

/// parsing, edge, boundary, distance.
fn plain(batch: &Batch, all_vertices: bool) -> Result<[f64; 4]> {
    let [logits, initial, edge] = [0, 1, 2].map(|i| Scores::new(&batch.outputs[i]));
    let (logits, initial, edge) = (logits?, initial?, edge?);
    let (labels, edges) = (batch.labels.to_vec3::<u8>()?, batch.edges.to_vec3::<u8>()?);
    let (n, h, w) = batch.labels.dims3()?;
    let total = (n * h * w) as f64;
    let on = edges.iter().flatten().flatten().filter(|&&e| e == 1).count() as f64;
    let (mut parsing, mut valid, mut edge_sum, mut edge_weight, mut boundary) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for i in 0..n {
        let on_here = edges[i].iter().flatten().filter(|&&e| e == 1).count() as f64;
        for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
            let (label, e) = (labels[i][y][x], edges[i][y][x]);
            if label != 255 {
                let loss = logits.loss(i, label.into(), (y, x), (h, w));
                parsing += loss + initial.loss(i, label.into(), (y, x), (h, w));
                valid += 1.0;
                boundary += loss * f64::from(e) / (on_here + 1.0) / n as f64;
            }
            let weight = if e == 1 { (total - on) / total } else { on / total };
            edge_sum += weight * edge.loss(i, e.into(), (y, x), (h, w));
            edge_weight += weight;
        }
    }
    Ok([parsing / valid, edge_sum / edge_weight, boundary, plain_distance(batch, all_vertices)?])
}

fn plain_distance(batch: &Batch, all_vertices: bool) -> Result<f64> {
    let vertices = batch.outputs[3].to_dtype(DType::F64)?.to_vec3::<f64>()?;
    let (n, v, _) = batch.outputs[3].dims3()?;
    let v = if all_vertices { v } else { batch.outputs[0].dim(1)? };
    let mut sum = 0.0;
    for image in &vertices {
        for (i, j) in (0..v).flat_map(|i| (0..v).map(move |j| (i, j))).filter(|(i, j)| i != j) {
            let square: f64 = image[i].iter().zip(&image[j]).map(|(a, b)| (a - b).powi(2)).sum();
            sum += (2.0 - square.sqrt()).max(0.0).powi(2);
        }
    }
    Ok(sum / (n * v * (v - 1)) as f64)
}

fn values(terms: &Terms) -> Result<[f64; 5]> {
    let Terms { total, parsing, edge, boundary, distance } = terms;
    let value = |term: &Tensor| term.to_scalar::<f32>().map(f64::from);
    Ok([value(parsing)?, value(edge)?, value(boundary)?, value(distance)?, value(total)?])
}

fn check(batch: &Batch, all_vertices: bool) -> Result<()> {
    let got = values(&batch.loss(&batch.outputs, &config(all_vertices))?)?;
    let terms = plain(batch, all_vertices)?;
    let total = terms[0] + terms[1] + terms[2] + 0.5 * terms[3];
    for ((name, got), want) in ["parsing", "edge", "boundary", "distance", "total"]
        .iter()
        .zip(got)
        .zip(terms.into_iter().chain([total]))
    {
        assert!((got - want).abs() <= 1e-5 + 1e-4 * want, "{name}: {got} instead of {want}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn each_term_is_its_definition(
        n in 1..3usize, classes in 2..5usize, h in 5..14usize, w in 5..14usize, seed in 0..1000u64, all in any::<bool>(),
    ) {
        check(&Batch::new(n, classes, (h, w), seed).unwrap(), all).unwrap();
    }

    #[test]
    fn gradients_agree_with_finite_differences(
        n in 1..3usize, classes in 2..4usize, h in 5..9usize, w in 5..9usize, seed in 0..1000u64, all in any::<bool>(),
    ) {
        let batch = Batch::new(n, classes, (h, w), seed).unwrap();
        check_gradient(|x| Ok(batch.loss(x, &config(all))?.total), &batch.outputs, seed).unwrap();
    }
}

#[test]
fn a_large_batch_keeps_its_digits() -> Result<()> {
    check(&Batch::new(2, 3, (160, 144), 5)?, true)
}

#[test]
fn batches_without_labels_or_with_one_sort_of_edge_stay_finite() -> Result<()> {
    let batch = Batch::new(2, 3, (8, 9), 1)?;
    let void = (batch.labels.zeros_like()?.to_dtype(DType::F32)? + 255.0)?.to_dtype(DType::U8)?;
    for labels in [&batch.labels, &void] {
        for edges in [batch.edges.zeros_like()?, batch.edges.ones_like()?] {
            let odd = Batch { outputs: batch.outputs.clone(), labels: labels.clone(), edges };
            let vars = odd.outputs.iter().map(Var::from_tensor).collect::<Result<Vec<_>>>()?;
            // All vertices in one point.
            vars[3].set(&Tensor::ones(vars[3].shape(), DType::F32, &Device::Cpu)?)?;
            let outputs: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
            let terms = odd.loss(&outputs, &config(true))?;
            let [parsing, edge, _, distance, _] = values(&terms)?;
            assert_eq!((edge, distance), (0.0, 4.0));
            assert_eq!(parsing == 0.0, std::ptr::eq(labels, &void));
            let gradients = terms.total.backward()?;
            for var in &vars {
                let gradient = gradients.get(var).expect("a gradient").flatten_all()?.to_vec1::<f32>()?;
                assert!(gradient.iter().all(|g| g.is_finite()));
            }
        }
    }
    Ok(())
}

#[test]
fn errors_name_the_term() -> Result<()> {
    let batch = Batch::new(1, 2, (6, 6), 1)?;
    let with = |labels: &Tensor, edges: &Tensor, config: &Config| -> String {
        let batch = Batch { outputs: batch.outputs.clone(), labels: labels.clone(), edges: edges.clone() };
        batch.loss(&batch.outputs, config).unwrap_err().to_string()
    };
    let error = with(
        &batch.labels,
        &batch.edges.ones_like()?.broadcast_add(&batch.edges.ones_like()?)?,
        &config(true),
    );
    assert!(error.contains("edge 2 at image 0, row 0, column 0"), "{error}");
    let two = (batch.labels.zeros_like()?.to_dtype(DType::F32)? + 2.0)?.to_dtype(DType::U8)?;
    let error = with(&two, &batch.edges, &config(true));
    assert!(error.contains("parsing") && error.contains("label 2 at image 0, row 0, column 0"), "{error}");
    Ok(())
}
