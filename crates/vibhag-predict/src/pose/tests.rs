use super::*;

fn picture(width: usize, height: usize) -> Image {
    let value = |index: usize| (index * 7919 % 251) as u8;
    Image::from_u8(width, height, 3, (0..3 * width * height).map(value).collect()).unwrap()
}

#[test]
fn the_plan_gives_the_networks_maps() {
    let predictor = PosePredictor::posenet(DeviceChoice::Cpu, PoseOptions::default()).unwrap();
    for size in [[33, 49], [49, 17], [40, 30]] {
        let input = normalized_planes(&picture(size[1], size[0]));
        let planned = predictor.run(input.clone(), size).unwrap();
        let x = TensorData::new(input, [1, 3, size[0], size[1]]);
        let expected = ops::values(predictor.network.forward(Tensor::from_data(x, &predictor.device))).unwrap();
        assert_eq!(planned.len(), expected.len());
        let largest = planned.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(largest < 1e-3, "{size:?}: {largest}");
        assert!(Plan::compile_posenet(&predictor.network, size).is_ok());
    }
}

#[test]
fn images_of_any_depth_size_and_channels_are_taken() {
    let options = PoseOptions { size: 33, ..PoseOptions::default() };
    let predictor = PosePredictor::posenet(DeviceChoice::Cpu, options).unwrap();
    let dot = Image::from_u8(1, 1, 1, vec![200]).unwrap();
    let deep = Image::new(2, 3, 4, Samples::U16(vec![40_000; 24])).unwrap();
    for image in [dot, deep, picture(300, 1), picture(64, 64)] {
        for pose in predictor.predict(&image).unwrap() {
            assert_eq!(pose.keypoints.len(), 17);
        }
    }
    let many = Image::from_u8(1, 1, 7, vec![0; 7]).unwrap();
    assert!(predictor.predict(&many).unwrap_err().to_string().contains('7'));
}

#[test]
fn sixteen_bits_and_eight_bits_give_the_same_planes() {
    let eight = Image::from_u8(2, 1, 3, vec![0, 1, 2, 127, 254, 255]).unwrap();
    let deep = Image::new(2, 1, 3, Samples::U16(vec![0, 257, 514, 32_639, 65_278, 65_535])).unwrap();
    let planes = normalized_planes(&eight);
    assert_eq!(planes, normalized_planes(&deep));
    assert_eq!((planes[0], planes[5]), (-1.0, 1.0));
}

#[test]
fn any_number_of_pixels_has_a_size_near_it() {
    for (pixels, size) in [(0, 33), (40, 33), (42, 49), (256, 257), (257, 257), (500, 497), (512, 513), (1 << 40, 4097)]
    {
        assert_eq!(PoseOptions::nearest_size(pixels), size, "{pixels}");
    }
}

#[test]
fn sizes_between_cells_are_refused() {
    for size in [0, 17, 512, 4113] {
        let options = PoseOptions { size, ..PoseOptions::default() };
        let error = PosePredictor::posenet(DeviceChoice::Cpu, options).unwrap_err().to_string();
        assert!(error.contains(&size.to_string()) && error.contains("513"), "{error}");
    }
}
