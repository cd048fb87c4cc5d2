// Freezes the people that PoseNet's own decoder reads from maps, for crates/vibhag-imaging/tests/posenet_reference.rs:
// @tensorflow-models/posenet 2.2.2 (Apache-2.0). The maps are noise from a hash of the position, which the test computes
// again: every cell leads somewhere, people overlap, and displacements lead out of the image.
//
//     npm install @tensorflow-models/posenet@2.2.2 @tensorflow/tfjs-core@3.21.0 @tensorflow/tfjs-converter@3.21.0
//     NODE_PATH=node_modules node bench/reference/posenet_decode.cjs
const fs = require('fs');
const path = require('path');
const tf = require('@tensorflow/tfjs-core');
const posenet = require('@tensorflow-models/posenet');

const OUT = path.join(__dirname, '../../crates/vibhag-imaging/tests/reference/posenet.json');
const KEYPOINTS = 17;
const EDGES = 16;

// A number in [0, 1) of 24 bits.
function noise(seed, plane, cell) {
  let x = Math.imul(seed * 7919 + plane * 104729 + cell + 1, 2654435761) >>> 0;
  x ^= x >>> 15;
  x = Math.imul(x, 2246822519) >>> 0;
  x ^= x >>> 13;
  return (x >>> 8) / 16777216;
}

function maps(seed, width, height, reach) {
  const f32 = Math.fround;
  const block = (first, channels, of) => {
    const values = new Float32Array(width * height * channels);
    for (let cell = 0; cell < width * height; cell++) {
      for (let c = 0; c < channels; c++) {
        values[cell * channels + c] = of(noise(seed, first + c, cell));
      }
    }
    return tf.buffer([height, width, channels], 'float32', values);
  };
  return [
    block(0, KEYPOINTS, (u) => u),
    block(KEYPOINTS, 2 * KEYPOINTS, (u) => f32(f32(u - 0.5) * 24)),
    block(3 * KEYPOINTS, 2 * EDGES, (u) => f32(f32(u - 0.5) * reach)),
    block(3 * KEYPOINTS + 2 * EDGES, 2 * EDGES, (u) => f32(f32(u - 0.5) * reach)),
  ];
}

const cases = [
  {seed: 1, width: 13, height: 9, stride: 16, reach: 80, max: 5, threshold: 0.5, radius: 20},
  {seed: 2, width: 9, height: 14, stride: 8, reach: 60, max: 20, threshold: 0.9, radius: 30},
  {seed: 3, width: 33, height: 21, stride: 32, reach: 400, max: 40, threshold: 0.75, radius: 45},
  {seed: 4, width: 1, height: 1, stride: 16, reach: 50, max: 5, threshold: 0.25, radius: 20},
].map((c) => {
  const poses = posenet.decodeMultiplePoses(
    ...maps(c.seed, c.width, c.height, c.reach), c.stride, c.max, c.threshold, c.radius);
  poses.sort((a, b) => b.score - a.score);
  const keypoints = (p) => p.keypoints.map((k) => [k.position.x, k.position.y, k.score]);
  return {...c, poses: poses.map((p) => ({score: p.score, keypoints: keypoints(p)}))};
});
fs.writeFileSync(OUT, JSON.stringify({generator: 'bench/reference/posenet_decode.cjs', cases}) + '\n');
console.log(cases.map((c) => `${c.poses.length} people, best ${c.poses[0]?.score}`).join('\n'), fs.statSync(OUT).size);
