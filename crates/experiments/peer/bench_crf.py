"""Times pydensecrf on the images of `bench --case 'crf/*'`: one JSON line a case, of the same fields.

    python bench_crf.py --case crf/500x375x21 [--seconds 20]

Needs numpy and pydensecrf (github.com/lucasb-eyer/pydensecrf: pip install 'cython<3' setuptools wheel numpy, then
pip install --no-build-isolation . in its folder). It knows one thread only, whatever --threads says.
"""
import argparse
import json
import resource
import statistics
import time

import numpy as np
import pydensecrf.densecrf as dcrf

from uniform import uniform

ITERATIONS = 5


def scene(width, height, classes):
    """Image (height, width, 3) and energies (classes, pixels), made as bench/dense_crf.rs makes them."""
    rows, columns = np.mgrid[0:height, 0:width]
    region = (columns * 5 // width + rows * 4 // height) % classes
    image = uniform("palette", (classes, 3))[region] * 200 + 20 + (uniform("noise", (height, width, 3)) - 0.5) * 40
    score = 2.0 * np.eye(classes)[region] + 2.5 * (uniform("score", (height, width, classes)) - 0.5)
    energy = np.log(np.exp(score).sum(-1, keepdims=True)) - score
    return np.clip(image, 0, 255).astype(np.uint8), np.ascontiguousarray(energy.transpose(2, 0, 1).reshape(classes, -1), dtype=np.float32)


def infer(image, energy):
    (height, width, _), classes = image.shape, len(energy)
    crf = dcrf.DenseCRF2D(width, height, classes)
    crf.setUnaryEnergy(energy)
    crf.addPairwiseGaussian(sxy=3, compat=3)
    crf.addPairwiseBilateral(sxy=80, srgb=13, rgbim=image, compat=10)
    return np.array(crf.inference(ITERATIONS))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--case", required=True); p.add_argument("--seconds", type=float, default=20); p.add_argument("--threads", type=int)
    a = p.parse_args()
    width, height, classes = map(int, a.case.removeprefix("crf/").split("x"))
    image, energy = scene(width, height, classes)
    infer(image, energy); infer(image, energy)
    times, end = [], time.perf_counter() + a.seconds
    while len(times) < 3 or (time.perf_counter() < end and len(times) < 200):
        start = time.perf_counter(); infer(image, energy)
        times.append((time.perf_counter() - start) * 1e3)
    print(json.dumps(dict(case=a.case, shape=[height, width, classes], median_ms=round(statistics.median(times), 2), min_ms=round(min(times), 2), runs=len(times), gflops=None,
                          peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, threads=1, torch="pydensecrf")), flush=True)


main()
