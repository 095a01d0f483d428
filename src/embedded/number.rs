//! Numbers as Redis reads and prints them.
//!
//! Integers are read strictly (no blanks, no plus sign, no leading zeros). Floats are printed with the fewest digits
//! that read back to the same value, laid out as Redis 7.2 does; Lua's own `%.14g` is here too.

/// Reads a 64-bit integer in the only form that Redis accepts.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', rest @ ..] => rest.len() < 19 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !canonical {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Reads a float: decimal, exponent, hexadecimal or infinity; no blanks, no NaN.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    if text.is_empty() || text.starts_with(char::is_whitespace) {
        return None;
    }
    let unsigned = text.trim_start_matches(['+', '-']);
    if unsigned.len() + 1 < text.len() {
        return None;
    }
    if unsigned.starts_with("0x") || unsigned.starts_with("0X") {
        let value = parse_hex(&unsigned[2..])?;
        return Some(if text.starts_with('-') { -value } else { value });
    }
    text.parse::<f64>().ok().filter(|value| !value.is_nan())
}

/// Reads the digits of a hexadecimal integer, as C's strtod would.
fn parse_hex(digits: &str) -> Option<f64> {
    if digits.is_empty() {
        return None;
    }
    digits.chars().try_fold(0.0, |value, c| c.to_digit(16).map(|d| value * 16.0 + f64::from(d)))
}

/// Prints an integer without allocating more than the result.
pub fn integer(value: i64) -> Vec<u8> {
    itoa::Buffer::new().format(value).as_bytes().to_vec()
}

/// The shortest decimal digits of a finite value and the exponent of its last digit.
fn shortest(value: f64) -> (String, i32) {
    let text = format!("{:e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let last = exponent - (digits.len() as i32 - 1);
    (digits, last)
}

/// Prints a float as Redis 7.2 does: shortest digits, integers plain as long as that is short.
pub fn double(value: f64) -> String {
    if value.is_nan() {
        return "nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf".into() } else { "-inf".into() };
    }
    if value == 0.0 {
        return if value.is_sign_negative() { "-0".into() } else { "0".into() };
    }
    let (digits, last) = shortest(value);
    let count = digits.len() as i32;
    let exponent = count + last - 1;
    let mut out = String::new();
    if value < 0.0 {
        out.push('-');
    }
    if last >= 0 && exponent < count + 7 {
        out.push_str(&digits);
        out.extend(std::iter::repeat_n('0', last as usize));
    } else if last < 0 && (last > -7 || exponent.abs() < 4) {
        push_decimal(&mut out, &digits, count + last);
    } else {
        out.push_str(&digits[..1]);
        if count > 1 {
            out.push('.');
            out.push_str(&digits[1..]);
        }
        out.push_str(&format!("e{}{}", if exponent < 0 { '-' } else { '+' }, exponent.abs()));
    }
    out
}

/// Appends digits with the decimal point after `whole` of them.
fn push_decimal(out: &mut String, digits: &str, whole: i32) {
    if whole <= 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', (-whole) as usize));
        out.push_str(digits);
    } else {
        out.push_str(&digits[..whole as usize]);
        out.push('.');
        out.push_str(&digits[whole as usize..]);
    }
}

/// Prints a float as C's `%.<precision>g` does.
pub fn general(value: f64, precision: usize) -> String {
    if value.is_nan() {
        return if value.is_sign_negative() { "-nan".into() } else { "nan".into() };
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let text = format!("{:.*e}", precision.max(1) - 1, value);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent < -4 || exponent >= precision as i32 {
        let mantissa = trim_fraction(mantissa);
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let decimals = (precision as i32 - 1 - exponent).max(0) as usize;
    trim_fraction(&format!("{value:.decimals$}")).to_string()
}

/// Cuts zeros after a decimal point, and the point itself when nothing is left behind it.
fn trim_fraction(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// Adds two decimal numbers for INCRBYFLOAT and prints up to 17 decimals.
///
/// Redis adds 80-bit floats there. Fixed-point sums give the same text for every number that fits, where the sum of
/// two `f64` would print its rounding error.
pub fn add_decimal(left: &[u8], right: &[u8]) -> Option<String> {
    let (a, b) = (parse_f64(left)?, parse_f64(right)?);
    if let (Some(x), Some(y)) = (fixed(left), fixed(right)) {
        let sum = x + y;
        let (whole, part) = in_80_bits(sum.unsigned_abs());
        let sign = if sum < 0 { "-" } else { "" };
        return Some(trim_fraction(&format!("{sign}{whole}.{part:017}")).to_string());
    }
    let sum = a + b;
    if !sum.is_finite() {
        return Some(double(sum));
    }
    Some(trim_fraction(&format!("{sum:.17}")).to_string())
}

/// Whole and part of a sum that is rounded to what an 80-bit float holds of it: 64 bits.
fn in_80_bits(sum: u128) -> (u128, u128) {
    let (whole, part) = (sum / FIXED_ONE, sum % FIXED_ONE);
    let bits = 64_u32.saturating_sub(128 - whole.leading_zeros());
    if bits >= 58 {
        return (whole, part);
    }
    let (mut kept, rest) = ((part << bits) / FIXED_ONE, (part << bits) % FIXED_ONE);
    // Half goes to the even neighbour.
    let is_odd = ((whole << bits) + kept) % 2 == 1;
    kept += u128::from(2 * rest > FIXED_ONE || 2 * rest == FIXED_ONE && is_odd);
    let part = (kept * FIXED_ONE) >> bits;
    (whole + part / FIXED_ONE, part % FIXED_ONE)
}

/// 1.0 in fixed point with 17 decimals.
const FIXED_ONE: u128 = 100_000_000_000_000_000;

/// Reads a plain or exponent decimal as fixed point; none when it needs more digits than that.
fn fixed(text: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(text).ok()?;
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let unsigned = mantissa.trim_start_matches(['+', '-']);
    let (whole, part) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = format!("{whole}{}", part.trim_end_matches('0'));
    let scale = 17 + exponent - part.trim_end_matches('0').len() as i32;
    if digits.len() > 36 || !(0..=36).contains(&scale) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value = digits.parse::<i128>().ok()?.checked_mul(10i128.checked_pow(scale as u32)?)?;
    if value > 1 << 124 {
        return None;
    }
    Some(if mantissa.starts_with('-') { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_strictly() {
        for bad in ["", "-", "00", "01", "-0", "+1", " 1", "1 ", "1.5", "x", "9223372036854775808"] {
            assert_eq!(parse_i64(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse_i64(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(parse_i64(b"0"), Some(0));
    }

    #[test]
    fn floats_print_as_redis_prints_them() {
        let cases: &[(f64, &str)] = &[
            (0.1, "0.1"),
            (3.0, "3"),
            (9223372036854776000.0, "9223372036854776000"),
            (123456789012345680.0, "123456789012345680"),
            (1e100, "1e+100"),
            (1700000000.123, "1700000000.123"),
            (-1.5, "-1.5"),
            (1e-7, "1e-7"),
        ];
        for (value, text) in cases {
            assert_eq!(double(*value), *text);
        }
    }

    #[test]
    fn fourteen_digits_as_lua_prints_them() {
        let cases: &[(f64, &str)] = &[
            (0.1, "0.1"),
            (1e15, "1e+15"),
            (9007199254740992.0, "9.007199254741e+15"),
            (1700000000123.0, "1700000000123"),
            (123456789012345.0, "1.2345678901234e+14"),
            (-0.0, "-0"),
        ];
        for (value, text) in cases {
            assert_eq!(general(*value, 14), *text);
        }
    }

    #[test]
    fn decimal_sums_have_no_rounding_error() {
        let cases = [("0.1", "0.2", "0.3"), ("3", "1.1", "4.1"), ("5.0e3", "2.0e2", "5200"), ("1", "-1", "0")];
        for (a, b, sum) in cases {
            assert_eq!(add_decimal(a.as_bytes(), b.as_bytes()).as_deref(), Some(sum));
        }
    }
}
