//! Random scripts from a grammar of Lua expressions, one statement to a line so that a failing one can be made shorter.
//!
//! No function ends in a tail call: some functions of our sandbox are written in Lua, and a tail call of one of them
//! loses the line that its errors would name.

use crate::dice::Dice;
use crate::line;

/// Every expression is shown as text with its type, errors by their text.
const PRELUDE: &str = "local function show(v, d) if type(v) ~= 'table' or d == 0 then return type(v) .. ':' .. tostring(v) end local t = {} for k, w in pairs(v) do t[#t + 1] = show(k, 0) .. '=' .. show(w, (d or 4) - 1) end table.sort(t) return '{' .. table.concat(t, ',') .. '}' end
local r = {}
local function try(f) local t = {pcall(f)} for i = 1, table.maxn(t) do t[i] = show(t[i]) end r[#r + 1] = table.concat(t, ' ') end";

/// 7.0 dies of an error that is a table without `err`, so none is left uncaught.
const SAFE: &str = "local function safe(f) local ok, v = pcall(f) if ok then return v end return tostring(v) end";

const NUMBERS: &[&str] = &[
    "$i",
    "$i",
    "$i",
    "$f",
    "($n + $n)",
    "($n - $n)",
    "($n * $n)",
    "($n / $n)",
    "($n % $n)",
    "($i ^ $i)",
    "-$n",
    "#$s",
    "#$t",
    "math.floor($n)",
    "math.ceil($n)",
    "math.abs($n)",
    "math.max($n, $n)",
    "math.min($n, $n)",
    "math.fmod($n, $n)",
    "math.sqrt($n)",
    "math.ldexp($i, $i)",
    "math.modf($n)",
    "math.frexp($n)",
    "tonumber($s)",
    "tonumber($s, $i)",
    "select('#', $a, $a)",
    "string.byte($s, $i)",
    "string.len($s)",
    "table.getn($t)",
    "table.maxn($t)",
    "string.find($s, $p)",
    "bit.band($n, $n)",
    "bit.bor($n, $n)",
    "bit.bxor($n, $n)",
    "bit.bnot($n)",
    "bit.lshift($n, $i)",
    "bit.rshift($n, $i)",
    "bit.arshift($n, $i)",
    "bit.rol($n, $i)",
    "bit.ror($n, $i)",
    "bit.bswap($n)",
    "bit.tobit($n)",
    "struct.size($u)",
    "(cmsgpack.unpack(cmsgpack.pack($n)))",
    "struct.unpack($u, struct.pack($u, $n, $n))",
    "math.random($i)",
    "(1 / 0)",
    "(0 / 0)",
    "-0",
    "cjson.decode($j)",
    "redis.REPL_ALL",
    "redis.LOG_NOTICE",
    "math.pi",
    "2 ^ 53",
    "1e15",
    "123456789012345680",
    "2147483648",
    "-2147483649",
    "0.1",
    "1e100",
    "255",
];

const STRINGS: &[&str] = &[
    "$q",
    "$q",
    "$q",
    "$q",
    "($s .. $s)",
    "($s .. $n)",
    "string.sub($s, $i, $i)",
    "string.rep($s, $i)",
    "tostring($n)",
    "tostring($b)",
    "string.format($o, $n)",
    "string.format($o, $s)",
    "string.format($o, $a)",
    "(string.gsub($s, $p, $s))",
    "(string.gsub($s, $p, $t))",
    "(string.gsub($s, $p, function(x) return $a, 1 end))",
    "cjson.encode($a)",
    "cjson.encode($t)",
    "struct.pack($u, $n, $n)",
    "struct.pack($u, $s)",
    "cmsgpack.pack($a)",
    "cmsgpack.pack($t, $n)",
    "redis.sha1hex($s)",
    "string.upper($s)",
    "string.lower($s)",
    "string.reverse($s)",
    "bit.tohex($n)",
    "bit.tohex($n, $i)",
    "type($a)",
    "table.concat($t, $s)",
    "table.concat($t, $s, $i, $i)",
    "string.char($i, 65)",
    "string.match($s, $p)",
    "KEYS[1]",
    "ARGV[$i]",
    "$s:upper()",
    "('%d'):format($n)",
    "coroutine.status(coroutine.create(function() end))",
    "(loadstring('return ' .. $n) or type)($q)",
];

const TABLES: &[&str] = &[
    "{}",
    "{$a}",
    "{$a, $a}",
    "{$a, $a, $a}",
    "{$n, $n, $n}",
    "{$s, $s}",
    "{n = $a}",
    "{$a, n = $a}",
    "{[$n] = $a}",
    "{[$s] = $a}",
    "{a = $a, b = $a}",
    "{$t, $t}",
    "cjson.decode(cjson.encode($a))",
    "cjson.decode($j)",
    "{cmsgpack.unpack(cmsgpack.pack($a))}",
    "{cmsgpack.unpack($s)}",
    "{cmsgpack.unpack($m)}",
    "{cmsgpack.unpack_one($s, $i)}",
    "{cmsgpack.unpack_limit(cmsgpack.pack($a, $a, $a), $i, $i)}",
    "{struct.unpack($u, $s)}",
    "{string.find($s, $p)}",
    "{string.find($s, $p, $i, $b)}",
    "{string.gsub($s, $p, $s, $i)}",
    "{string.byte($s, 1, -1)}",
    "{unpack($t)}",
    "{unpack($t, $i, $i)}",
    "{select($i, $a, $a)}",
    "redis.pcall($c)",
    "redis.pcall($c)",
    "redis.error_reply($s)",
    "redis.status_reply($s)",
    "{pcall(redis.call, $c)}",
    "{pcall(error, $a)}",
    "{pcall(function() error($a, $l) end)}",
    "{xpcall(function() error($a) end, function(e) return $a, 1 end)}",
    "{pcall(function() return $a, 1 end)}",
    "{coroutine.resume(coroutine.create(function(x) return $a, 1 end), $a)}",
    "setmetatable($t, {__index = $t})",
    "setmetatable($t, {__tostring = function() return $s end})",
    "{ok = $a}",
    "{err = $a}",
    "{double = $f}",
    "{map = $t}",
    "{set = {a = true}}",
    "{big_number = $s}",
    "{verbatim_string = {format = $s, string = $s}}",
    "KEYS",
    "ARGV",
    "{math.modf($n)}",
    "{loadstring($q)}",
    "{string.gmatch($s, $p)()}",
    "{next($t)}",
];

const OTHERS: &[&str] = &[
    "$n",
    "$s",
    "$t",
    "nil",
    "true",
    "false",
    "cjson.null",
    "redis.call($c)",
    "redis.call($c)",
    "(function() return $a, 1 end)()",
    "coroutine.wrap(function() return $a, 1 end)()",
    "($a == $a)",
    "($n < $n)",
    "($s < $s)",
    "($n <= $n)",
    "not $a",
    "($a and $a)",
    "($a or $a)",
    "rawget(_G, $s)",
    "rawget($t, $a)",
    "redis[$s]",
    "string[$s]",
    "rawget(_G, $s)",
    "$t[$n]",
    "$t[$s]",
    "$t.n",
    "rawequal($a, $a)",
    "rawset($t, $a, $a)",
    "setmetatable($a, $a)",
    "getmetatable($a)",
    "pairs($a)",
    "ipairs($a)",
    "next($a)",
    "unpack($a)",
    "tonumber($a)",
    "tostring($a)",
    "table.insert($t, $a)",
    "table.insert($t, $i, $a)",
    "table.remove($t)",
    "table.remove($t, $i)",
    "table.sort($t)",
    "assert($a, $a)",
    "error($s, $l)",
    "error($a)",
    "nosuch",
    "redis.nosuch()",
    "cjson.encode($a)",
    "cjson.decode($a)",
    "cjson.decode($s)",
    "select($n, $a)",
    "redis.acl_check_cmd($c)",
    "redis.setresp($i)",
    "$a .. $a",
    "$a + $a",
    "#$a",
    "$a.x",
    "-$a",
    "$a()",
    "collectgarbage($q)",
    "string.format($a, $a)",
    "struct.pack($a, $a)",
    "struct.unpack($a, $a)",
    "bit.band($a, $a)",
    "cmsgpack.unpack($a)",
    "redis.sha1hex($a)",
    "redis.error_reply($a)",
    "redis.set_repl($a)",
    "string.rep($a, $i)",
    "math.floor($a)",
];

const INTEGERS: &[&str] = &["0", "1", "2", "-1", "3", "5", "10", "-3", "8", "31", "32"];
const FLOATS: &[&str] = &["0.5", "1.5", "-2.25", "1e3", "3.0", "-0.75"];
const QUOTED: &[&str] = &[
    "'a'",
    "''",
    "'abc'",
    "'hello world'",
    "'1'",
    "'10'",
    "'x=1,y=2'",
    "'\\0z'",
    "'[1,2]'",
    "'0x10'",
    "'-1.5'",
    "'call'",
    "'rep'",
    "'\\n\"\\\\/'",
    "' 7 '",
    "'nan'",
    "'err'",
    "'return 1'",
    "'x x'",
];
const PATTERNS: &[&str] = &[
    "'%a+'",
    "'.'",
    "'(%w)=(%w)'",
    "'^a'",
    "'l*'",
    "'[a-c]'",
    "'()'",
    "'%s'",
    "'a-$'",
    "'%d*'",
    "'[^a]'",
    "'%'",
    "'('",
    "'[a'",
    "'%b()'",
    "'%f[%w]'",
    "''",
    "'(.)(.)'",
    "'%1'",
    "$q",
];
const FORMATS: &[&str] = &[
    "'%d'", "'%s'", "'%5.2f'", "'%g'", "'%.14g'", "'%q'", "'%x'", "'%5s|'", "'%-5s|'", "'%c'", "'%%'", "'%i'", "'%e'",
    "'%05d'", "'%+d'", "'%.3s'", "'%u'", "'%o'", "'%X'", "'%'", "'%y'", "'%d %d'",
];
const LAYOUTS: &[&str] = &[
    "'b'",
    "'B'",
    "'h'",
    "'H'",
    "'>i4'",
    "'<i2'",
    "'I'",
    "'l'",
    "'L'",
    "'f'",
    "'d'",
    "'>d'",
    "'s'",
    "'c3'",
    "'c0'",
    "'bs'",
    "'Bc0'",
    "'!4 b i'",
    "'!8 bd'",
    "'x b'",
    "'>I3'",
    "'i8'",
    "'i9'",
    "'i33'",
    "'z'",
    "'!3b'",
    "'c'",
    "'!'",
    "' b '",
    "'<!2 b h'",
    "'bc0'",
    "'ii'",
];
const PACKED: &[&str] = &[
    "'\\131abc'",
    "'\\147\\1\\2\\3'",
    "'\\255'",
    "'\\192\\195'",
    "'\\129\\161a\\5'",
    "'\\221\\255\\255'",
    "'\\193'",
    "'\\203'",
];
const JSONS: &[&str] = &[
    "'1'",
    "'[1,2,3]'",
    "'{\"a\":1}'",
    "'{\"a\":[1,{\"b\":null}]}'",
    "'\"x\"'",
    "'null'",
    "'true'",
    "'[]'",
    "'{}'",
    "'1.5e3'",
    "'-0'",
    "'[1,]'",
    "'{\"a\"}'",
    "'0x1F'",
    "'nan'",
    "'-inf'",
    "'[1 2]'",
    "'\"\\\\u00e9\"'",
    "'\"\\\\ud800\"'",
    "'tru'",
    "'01'",
    "' [ 1 ] x'",
    "'\"a'",
    "'-'",
    "'1e'",
    "'{\"1\":2}'",
    "'{1:2}'",
    "'[[[1]]]'",
    "'.5'",
    "'1.'",
    "'+1'",
    "'\"\\\\x\"'",
    "'infinity'",
    "'-nan'",
    "'1e999'",
    "'\"\\t\"'",
    "'{\"a\":1,\"a\":2}'",
];

/// Expands the names in a rule; past some depth only the first, plain rules are taken.
fn expand(dice: &mut Dice, rule: &str, depth: usize) -> String {
    let mut out = String::new();
    let mut rest = rule;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let name = rest[at + 1..].chars().next().unwrap_or(' ');
        rest = &rest[at + 2..];
        let (rules, plain): (&[&str], usize) = match name {
            'n' => (NUMBERS, 4),
            's' => (STRINGS, 4),
            't' => (TABLES, 1),
            'a' => (OTHERS, 7),
            'i' => (INTEGERS, usize::MAX),
            'f' => (FLOATS, usize::MAX),
            'q' => (QUOTED, usize::MAX),
            'p' => (PATTERNS, usize::MAX),
            'o' => (FORMATS, usize::MAX),
            'u' => (LAYOUTS, usize::MAX),
            'j' => (JSONS, usize::MAX),
            'm' => (PACKED, usize::MAX),
            'l' => (&["0", "1", "2"], usize::MAX),
            'b' => (&["true", "false", "nil"], usize::MAX),
            'c' => {
                out.push_str(&call(dice));
                continue;
            }
            other => {
                out.extend(['$', other]);
                continue;
            }
        };
        let bound = if depth == 0 { plain.min(rules.len()) } else { rules.len() };
        let rule = dice.pick(&rules[..bound]).expect("no list of rules is empty");
        out.push_str(&expand(dice, rule, depth.saturating_sub(1)));
    }
    out.push_str(rest);
    out
}

/// The arguments of a command as Lua text; what has no order or no fixed answer is left out.
fn call(dice: &mut Dice) -> String {
    const UNFIXED: &[&str] = &[
        "TTL",
        "PTTL",
        "KEYS",
        "SCAN",
        "SMEMBERS",
        "SINTER",
        "SUNION",
        "SDIFF",
        "SSCAN",
        "HSCAN",
        "ZSCAN",
        "SRANDMEMBER",
        "HRANDFIELD",
        "ZRANDMEMBER",
        "RANDOMKEY",
        "SPOP",
        "XINFO",
        "COMMAND",
        "INCRBYFLOAT",
        "HINCRBYFLOAT",
        "ZINCRBY",
    ];
    loop {
        let words = line::sound(dice);
        if !UNFIXED.iter().any(|name| name.as_bytes() == words[0]) {
            return words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(", ");
        }
    }
}

fn quote(bytes: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !b"'\\$".contains(byte) || *byte == b' ';
    let escape = |byte: &u8| if plain(byte) { char::from(*byte).to_string() } else { format!("\\{byte:03}") };
    format!("'{}'", bytes.iter().map(escape).collect::<String>())
}

/// An EVAL or EVAL_RO.
pub fn request(dice: &mut Dice) -> Vec<Vec<u8>> {
    let mut lines = vec![PRELUDE.to_string(), SAFE.to_string()];
    if dice.chance(20) {
        lines.push("redis.setresp(3)".into());
    }
    lines.push(format!("math.randomseed({})", dice.below(100)));
    for _ in 0..1 + dice.below(5) {
        lines.push(format!("try(function() return {}, 1 end)", expand(dice, "$a", 3)));
    }
    lines.push(match dice.below(4) {
        0 => format!("return safe(function() return {}, 1 end)", expand(dice, "$t", 2)),
        1 => format!("error(tostring(safe(function() return {}, 1 end)))", expand(dice, "$s", 1)),
        _ => "return r".into(),
    });
    let name: &[u8] = if dice.chance(10) { b"EVAL_RO" } else { b"EVAL" };
    let mut words = vec![name.to_vec(), lines.join("\n").into_bytes()];
    words.extend([b"1".to_vec(), b"a".to_vec(), b"x".to_vec(), b"10".to_vec()]);
    words
}
