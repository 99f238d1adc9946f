//! Draws the picture that customers send: a lamp's glow on a dark wall, as PNG.
//!
//! Promise: a valid, decodable image made here from a number; no file is carried along.

const WIDTH: u32 = 240;
const HEIGHT: u32 = 180;

/// A PNG whose colours hang on `tint`.
pub fn lamp(tint: u64) -> Vec<u8> {
    let hue = (tint % 3) as usize;
    let mut raw = Vec::with_capacity(((WIDTH * 3 + 1) * HEIGHT) as usize);
    for y in 0..HEIGHT {
        raw.push(0);
        for x in 0..WIDTH {
            raw.extend_from_slice(&pixel(x, y, hue));
        }
    }
    let mut png = vec![0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a];
    let mut head = Vec::new();
    head.extend_from_slice(&WIDTH.to_be_bytes());
    head.extend_from_slice(&HEIGHT.to_be_bytes());
    // Eight bits a channel, true colour, no interlacing.
    head.extend_from_slice(&[8, 2, 0, 0, 0]);
    chunk(&mut png, b"IHDR", &head);
    chunk(&mut png, b"IDAT", &zlib_stored(&raw));
    chunk(&mut png, b"IEND", &[]);
    png
}

fn pixel(x: u32, y: u32, hue: usize) -> [u8; 3] {
    let shade_half = 20 + (y.saturating_sub(50)) / 2;
    let from_middle = x.abs_diff(WIDTH / 2);
    let shade = (50..90).contains(&y) && from_middle < shade_half;
    let stem = (90..150).contains(&y) && from_middle < 3;
    let foot = (150..156).contains(&y) && from_middle < 26;
    let distance = from_middle.pow(2) + y.abs_diff(80).pow(2);
    let glow = 200u32.saturating_sub(distance / 60) as u8;
    let warm = [[255, 196, 110], [255, 170, 140], [235, 214, 150]][hue];
    if shade {
        warm
    } else if stem || foot {
        [150, 116, 60]
    } else {
        [24 + glow / 2, 22 + glow / 3, 34 + glow / 8]
    }
}

/// A zlib stream of uncompressed blocks.
fn zlib_stored(raw: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut blocks = raw.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        out.push(u8::from(blocks.peek().is_none()));
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    let (mut low, mut high) = (1u32, 0u32);
    for byte in raw {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    out.extend_from_slice(&((high << 16) | low).to_be_bytes());
    out
}

fn chunk(png: &mut Vec<u8>, kind: &[u8; 4], content: &[u8]) {
    png.extend_from_slice(&(content.len() as u32).to_be_bytes());
    let from = png.len();
    png.extend_from_slice(kind);
    png.extend_from_slice(content);
    let sum = crc32(&png[from..]);
    png.extend_from_slice(&sum.to_be_bytes());
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    #[test]
    fn checksum_matches_the_published_check_value() {
        assert_eq!(super::crc32(b"123456789"), 0xcbf4_3926);
        assert!(super::lamp(1).starts_with(b"\x89PNG"));
    }
}
