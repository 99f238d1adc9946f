//! Money as whole minor units of an ISO 4217 currency; never a float.

/// Decimal places of a currency's minor unit. Currencies not named here have two.
pub fn minor_digits(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

/// Reads a decimal such as `30`, `29.99` or `1e3`-free plain digits into minor units. Digits beyond the minor unit are
/// rounded half up. `None` for anything that is not a plain decimal or does not fit.
pub fn to_minor(decimal: &str, currency: &str) -> Option<i64> {
    let digits = minor_digits(currency) as usize;
    let text = decimal.trim();
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) {
        return None;
    }
    let kept: String = fraction.chars().chain(std::iter::repeat('0')).take(digits).collect();
    let round_up = fraction.as_bytes().get(digits).is_some_and(|digit| *digit >= b'5');
    let units: i64 = format!("{whole}{kept}").parse().ok()?;
    let units = units.checked_add(i64::from(round_up))?;
    Some(if negative { -units } else { units })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_become_minor_units() {
        for (text, currency, minor) in [
            ("30", "USD", 3_000),
            ("29.99", "USD", 2_999),
            ("29.995", "EUR", 3_000),
            ("4200", "JPY", 4_200),
            ("1.2345", "KWD", 1_235),
            ("-5.5", "INR", -550),
        ] {
            assert_eq!(to_minor(text, currency), Some(minor), "{text} {currency}");
        }
        for bad in ["", ".", "1,5", "1e3", "abc", "99999999999999999999"] {
            assert_eq!(to_minor(bad, "USD"), None, "{bad}");
        }
    }
}
