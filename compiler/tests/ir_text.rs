//! The text form of the IR loses nothing: every instruction, declaration and type, read and written again.

use reel_compiler::ir::parse::parse;

/// Every form, in the order of `ir.rs`. It need not verify.
const ALL: &str = r#"map0: hash "m" script 3 keys (string at 0 len 16, tuple(u8, u64) at 16 len 16 items (u8 at 0 len 1, u64 at 8 len 8)) value tuple(i32, bool) items (i32 at 0 len 4, bool at 4 len 1) key_len 32 value_len 8 max 4096
map1: lru_hash "a" keys () value hist(2) key_len 8 value_len 8 max 1
map2: percpu_hash "b" keys (u64 at 0 len 8) value lhist(-10, 100, 5) key_len 8 value_len 8 max 1
map3: array "c" keys () value stats(i) key_len 4 value_len 32 max 1
map4: percpu_array "d" keys () value count key_len 4 value_len 8 max 1
map5: ringbuf "events" keys () value void key_len 0 value_len 0 max 262144
map6: sk_storage "e" keys () value ptr(struct("sock"), kernel) key_len 4 value_len 8 max 0
map7: hash "f" keys (enum("x y", u32) at 0 len 4) value array(sum(u), 3) key_len 8 value_len 8 max 1
data0: "a\"b\\c\n\x00\xff;"
data1: ""
pattern0: regex "^a.*\\d$"
pattern1: glob "/orders/**"
path0: name "items" index -1 header "Host" headers "x-y"
path1:
output0: printf "%d\n" args (u64 at 8 len 8) len 16 @1:5..9
output1: errorf "x" args () len 8
output2: warnf "x" args () len 8
output3: time "%H" args () len 8
output4: print args (min(i) at 8 len 16) len 24
output5: printmap 3 args () len 8
output6: clear 3 args () len 8
output7: zero 3 args () len 8
output8: exit args (i32 at 8 len 4) len 16
output9: call "join" args (buf(8) at 8 len 8) len 16
function "main x"
  v0: i64
  v1: u8
  v2: bool
  v3: address(user)
  v4: btf
  v5: value
  buf0: 16
  buf1: 512 stack
block0:
  v0 = const -9223372036854775808
  v0 = copy v0 @0:3..9
  v0 = neg v0
  v0 = bitnot v0
  v2 = not v2
  v0 = add v0, v0
  v0 = sub v0, v0
  v0 = mul v0, v0
  v0 = div v0, v0
  v0 = rem v0, v0
  v0 = and v0, v0
  v0 = or v0, v0
  v0 = xor v0, v0
  v0 = shl v0, v0
  v0 = shr v0, v0
  v2 = eq v0, v0
  v2 = ne v0, v0
  v2 = lt v0, v0
  v2 = le v0, v0
  v2 = gt v0, v0
  v2 = ge v0, v0
  v1 = cast v0
  zero buf0+0, 16
  set buf0+8, data1
  v0 = load buf0+8
  store buf0+8, v0
  copybuf buf0+0, buf1+0, 8
  v2 = equalbuf buf0+0, buf1+0, 8
  mapget map0, buf1+0, buf1+32
  v2 = mapget map0, buf1+0, buf1+32
  mapset map0, buf1+0, buf1+32
  mapadd map0, buf1+0, v0
  mapdelete map0, buf1+0
  v2 = mapdelete map0, buf1+0
  aggregate map1, buf0+0, hist(2), v0
  aggregate map4, buf0+0, count
  emit output0, buf0+0 @0:1..2
  branch v2, block1, block0
block1:
  v0 = context 8
  v4 = follow v4, 16
  probe kernel, buf0+0, 8, v3
  v2 = probe user, buf0+0, 8, v3
  v0 = probestr user, buf0+0, 16, v3
  helper 14(v0, -5, buf0+8, map0, context)
  v0 = helper 14()
  kfunc "bpf_dynptr_from_skb"(v0, btf data0)
  setcontext 4, v1
  put v4, 8, v1
  jump block2
block2:
  v5 = field 12
  v5 = text data0
  v2 = textequal v5, data0
  v2 = compareint ge v5, v0
  v2 = matches v5, pattern0
  v5 = path v5, path0
  v0 = toint v5
  v5 = fromint bool v2
  v5 = fromint int v0
  v5 = fromint duration v0
  v5 = fromint time v0
  v2 = isnil v5
  v2 = host equal(v5, v0)
  v2 = host compare le(v5, v5)
  v5 = host index(v5, v0)
  v5 = host nil()
  v5 = host null()
  v5 = host decimal data0()
  v5 = host mapget map0(v5, v0)
  host mapset map0(v5, v0, v0)
  host mapadd map0(v5, v0, v0)
  v2 = host mapdelete map0(v5, v0)
  host aggregate map2 lhist(-10, 100, 5) (v0, v0)
  host emit output0(v0)
  v5 = host call "len"(v5)
  v5 = host tuple(v5, v0)
  v5 = host item 1(v5)
  v5 = host builtin "nsecs"()
  host action 2(v5)
  return v0
"#;

#[test]
fn text_comes_back_as_it_was() -> anyhow::Result<()> {
    let module = parse(ALL)?;
    assert_eq!(module.to_string(), ALL);
    assert_eq!(parse(&module.to_string())?, module);
    Ok(())
}

#[test]
fn comments_and_layout_do_not_matter() -> anyhow::Result<()> {
    let spaced = ALL.lines().map(|line| format!("   {line}   ; a comment with \"quotes\"\n\n")).collect::<String>();
    assert_eq!(parse(&spaced)?, parse(ALL)?);
    Ok(())
}
