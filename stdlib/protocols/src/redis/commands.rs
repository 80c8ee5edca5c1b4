//! Which commands there are, and where their first key stands (the key specifications in Redis's command documentation).

use reel_lang::value::Value;

/// The first argument is a key.
const KEY_FIRST: &[&str] = &[
    "APPEND",
    "BITCOUNT",
    "BITFIELD",
    "BITFIELD_RO",
    "BITPOS",
    "BLMOVE",
    "BLPOP",
    "BRPOP",
    "BRPOPLPUSH",
    "BZPOPMAX",
    "BZPOPMIN",
    "COPY",
    "DECR",
    "DECRBY",
    "DEL",
    "DUMP",
    "EXISTS",
    "EXPIRE",
    "EXPIREAT",
    "EXPIRETIME",
    "GEOADD",
    "GEODIST",
    "GEOHASH",
    "GEOPOS",
    "GEORADIUS",
    "GEORADIUSBYMEMBER",
    "GEOSEARCH",
    "GEOSEARCHSTORE",
    "GET",
    "GETBIT",
    "GETDEL",
    "GETEX",
    "GETRANGE",
    "GETSET",
    "HDEL",
    "HEXISTS",
    "HEXPIRE",
    "HEXPIREAT",
    "HEXPIRETIME",
    "HGET",
    "HGETALL",
    "HGETDEL",
    "HGETEX",
    "HINCRBY",
    "HINCRBYFLOAT",
    "HKEYS",
    "HLEN",
    "HMGET",
    "HMSET",
    "HPERSIST",
    "HPEXPIRE",
    "HPEXPIREAT",
    "HPEXPIRETIME",
    "HPTTL",
    "HRANDFIELD",
    "HSCAN",
    "HSET",
    "HSETEX",
    "HSETNX",
    "HSTRLEN",
    "HTTL",
    "HVALS",
    "INCR",
    "INCRBY",
    "INCRBYFLOAT",
    "JSON.ARRAPPEND",
    "JSON.DEL",
    "JSON.GET",
    "JSON.MERGE",
    "JSON.MGET",
    "JSON.NUMINCRBY",
    "JSON.SET",
    "JSON.TYPE",
    "LCS",
    "LINDEX",
    "LINSERT",
    "LLEN",
    "LMOVE",
    "LPOP",
    "LPOS",
    "LPUSH",
    "LPUSHX",
    "LRANGE",
    "LREM",
    "LSET",
    "LTRIM",
    "MGET",
    "MOVE",
    "MSET",
    "MSETNX",
    "PERSIST",
    "PEXPIRE",
    "PEXPIREAT",
    "PEXPIRETIME",
    "PFADD",
    "PFCOUNT",
    "PFMERGE",
    "PSETEX",
    "PTTL",
    "RENAME",
    "RENAMENX",
    "RESTORE",
    "RPOP",
    "RPOPLPUSH",
    "RPUSH",
    "RPUSHX",
    "SADD",
    "SCARD",
    "SDIFF",
    "SDIFFSTORE",
    "SET",
    "SETBIT",
    "SETEX",
    "SETNX",
    "SETRANGE",
    "SINTER",
    "SINTERSTORE",
    "SISMEMBER",
    "SMEMBERS",
    "SMISMEMBER",
    "SMOVE",
    "SORT",
    "SORT_RO",
    "SPOP",
    "SRANDMEMBER",
    "SREM",
    "SSCAN",
    "STRLEN",
    "SUBSTR",
    "SUNION",
    "SUNIONSTORE",
    "TOUCH",
    "TTL",
    "TYPE",
    "UNLINK",
    "WATCH",
    "XACK",
    "XADD",
    "XAUTOCLAIM",
    "XCLAIM",
    "XDEL",
    "XLEN",
    "XPENDING",
    "XRANGE",
    "XREVRANGE",
    "XSETID",
    "XTRIM",
    "ZADD",
    "ZCARD",
    "ZCOUNT",
    "ZDIFFSTORE",
    "ZINCRBY",
    "ZINTERSTORE",
    "ZLEXCOUNT",
    "ZMSCORE",
    "ZPOPMAX",
    "ZPOPMIN",
    "ZRANDMEMBER",
    "ZRANGE",
    "ZRANGEBYLEX",
    "ZRANGEBYSCORE",
    "ZRANGESTORE",
    "ZRANK",
    "ZREM",
    "ZREMRANGEBYLEX",
    "ZREMRANGEBYRANK",
    "ZREMRANGEBYSCORE",
    "ZREVRANGE",
    "ZREVRANGEBYLEX",
    "ZREVRANGEBYSCORE",
    "ZREVRANK",
    "ZSCAN",
    "ZSCORE",
    "ZUNIONSTORE",
];

/// The second argument is a key: after a subcommand, an operation, or a number of keys.
const KEY_SECOND: &[&str] = &[
    "BITOP",
    "LMPOP",
    "MEMORY",
    "OBJECT",
    "SINTERCARD",
    "XGROUP",
    "XINFO",
    "ZDIFF",
    "ZINTER",
    "ZINTERCARD",
    "ZMPOP",
    "ZUNION",
];

/// The third argument is a key: after a script or a timeout, and a number of keys.
const KEY_THIRD: &[&str] =
    &["BLMPOP", "BZMPOP", "EVAL", "EVALSHA", "EVALSHA_RO", "EVAL_RO", "FCALL", "FCALL_RO", "MIGRATE"];

/// The keys stand after the word STREAMS.
const KEY_AFTER_STREAMS: &[&str] = &["XREAD", "XREADGROUP"];

/// There is no key.
const NO_KEY: &[&str] = &[
    "ACL",
    "ASKING",
    "AUTH",
    "BGREWRITEAOF",
    "BGSAVE",
    "CLIENT",
    "CLUSTER",
    "COMMAND",
    "CONFIG",
    "DBSIZE",
    "DEBUG",
    "DISCARD",
    "ECHO",
    "EXEC",
    "FAILOVER",
    "FLUSHALL",
    "FLUSHDB",
    "FUNCTION",
    "HELLO",
    "INFO",
    "KEYS",
    "LASTSAVE",
    "LATENCY",
    "LOLWUT",
    "MODULE",
    "MONITOR",
    "MULTI",
    "PING",
    "PSUBSCRIBE",
    "PSYNC",
    "PUBLISH",
    "PUBSUB",
    "PUNSUBSCRIBE",
    "QUIT",
    "RANDOMKEY",
    "READONLY",
    "READWRITE",
    "REPLCONF",
    "REPLICAOF",
    "RESET",
    "ROLE",
    "SAVE",
    "SCAN",
    "SCRIPT",
    "SELECT",
    "SHUTDOWN",
    "SLAVEOF",
    "SLOWLOG",
    "SPUBLISH",
    "SSUBSCRIBE",
    "SUBSCRIBE",
    "SUNSUBSCRIBE",
    "SWAPDB",
    "SYNC",
    "TIME",
    "UNSUBSCRIBE",
    "UNWATCH",
    "WAIT",
    "WAITAOF",
];

/// Whether this is a command's name, in upper case.
pub(super) fn is_known(name: &[u8]) -> bool {
    [KEY_FIRST, KEY_SECOND, KEY_THIRD, KEY_AFTER_STREAMS, NO_KEY].iter().any(|list| holds(list, name))
}

/// The first key among a command's arguments. What is not known has none.
pub(super) fn first_key<'a>(name: &[u8], args: &'a [Value]) -> Option<&'a Value> {
    if holds(KEY_FIRST, name) {
        return args.first();
    }
    if holds(KEY_SECOND, name) {
        return args.get(1);
    }
    if holds(KEY_THIRD, name) {
        // `EVAL script 0` has none.
        let has_none = name != b"MIGRATE" && args.get(1).and_then(Value::as_bytes) == Some(b"0");
        return args.get(2).filter(|_| !has_none);
    }
    if holds(KEY_AFTER_STREAMS, name) {
        let is_streams = |arg: &Value| arg.as_bytes().is_some_and(|arg| arg.eq_ignore_ascii_case(b"STREAMS"));
        return args.iter().skip_while(|arg| !is_streams(arg)).nth(1);
    }
    None
}

fn holds(list: &[&str], name: &[u8]) -> bool {
    list.binary_search_by(|known| known.as_bytes().cmp(name)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_for_the_search() {
        for list in [KEY_FIRST, KEY_SECOND, KEY_THIRD, KEY_AFTER_STREAMS, NO_KEY] {
            assert!(list.is_sorted(), "{list:?}");
        }
    }

    #[test]
    fn keys_are_found() {
        let cases: &[(&str, &[&str], Option<&str>)] = &[
            ("GET", &["k"], Some("k")),
            ("BITOP", &["AND", "k", "l"], Some("k")),
            ("EVAL", &["return 1", "0"], None),
            ("EVAL", &["return 1", "1", "k"], Some("k")),
            ("BLMPOP", &["0.1", "1", "k"], Some("k")),
            ("XREAD", &["COUNT", "1", "streams", "k", "0"], Some("k")),
            ("PING", &["k"], None),
            ("NOSUCH", &["k"], None),
            ("GET", &[], None),
        ];
        for (name, args, expected) in cases {
            let args: Vec<_> = args.iter().map(Value::text).collect();
            assert_eq!(first_key(name.as_bytes(), &args).and_then(Value::as_str), *expected, "{name} {args:?}");
        }
    }
}
