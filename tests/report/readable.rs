//! Whether a figure's texts can be read: inside the picture, and apart.

use costate::report::figure::Figure;
use resvg::usvg;

/// The boxes of all texts as drawn with the embedded font, in pixels: left, top, right, bottom.
fn text_boxes(figure: &Figure) -> Vec<(String, [f32; 4])> {
    fn collect(group: &usvg::Group, boxes: &mut Vec<(String, [f32; 4])>) {
        for node in group.children() {
            match node {
                usvg::Node::Group(group) => collect(group, boxes),
                usvg::Node::Text(text) => {
                    let b = text.abs_bounding_box();
                    let words = text.chunks().iter().map(|c| c.text()).collect::<String>();
                    boxes.push((words, [b.left(), b.top(), b.right(), b.bottom()]));
                }
                _ => {}
            }
        }
    }
    let mut options = usvg::Options::default();
    let fonts = options.fontdb_mut();
    fonts.load_font_data(include_bytes!("../../src/report/font/DejaVuSans-subset.ttf").to_vec());
    fonts.load_font_data(
        include_bytes!("../../src/report/font/DejaVuSans-Bold-subset.ttf").to_vec(),
    );
    let tree = usvg::Tree::from_str(&figure.svg, &options).expect("valid SVG");
    let mut boxes = Vec::new();
    collect(tree.root(), &mut boxes);
    boxes
}

/// No text leaves the picture, and none lies on another.
pub fn assert_texts_readable(figure: &Figure) {
    let boxes = text_boxes(figure);
    assert_eq!(
        boxes.len(),
        figure.svg.matches("<text").count(),
        "a text was not drawn"
    );
    for (i, (text, [left, top, right, bottom])) in boxes.iter().enumerate() {
        assert!(
            *left >= 0.0
                && *top >= 0.0
                && f64::from(*right) <= figure.width
                && f64::from(*bottom) <= figure.height,
            "`{text}` leaves the picture"
        );
        for (other, [l, t, r, b]) in &boxes[..i] {
            // Line boxes are taller than letters, so a shared pixel or two of height is no touch.
            let across = right.min(*r) - left.max(*l);
            let down = bottom.min(*b) - top.max(*t);
            assert!(
                across <= 0.5 || down <= 3.0,
                "`{text}` lies on `{other}`: {across} {down}"
            );
        }
    }
}
