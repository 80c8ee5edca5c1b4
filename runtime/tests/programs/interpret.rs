//! The kernel's half of a program in rbpf, with maps, a ring and helpers of our own: what the compiler made for the kernel is checked
//! where no kernel may be asked, and against an interpreter that is not ours.
//!
//! rbpf calls helpers as plain functions, so what they work on is of the thread. There is one CPU. The kernel's verifier has no say:
//! a program that it refuses still runs here.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

use reel::cli::Format;
use reel::engine::attach;
use reel::engine::compile::Kernel;
use reel::engine::maps;
use reel::engine::names::ProgramNames;
use reel::engine::printer::Printer;
use reel::engine::screen::{KERNEL, Screen, Store};
use reel::engine::session;
use reel::output::map::Entry;
use reel_compiler::bpf::insn::{CALL, Insn};
use reel_compiler::bpf::{MapSpec, ProgramCode};
use reel_compiler::ir::MapKind;
use reel_lang::env::ProbeKind;
use reel_lang::hir::{self, MapId};
use reel_lang::span::SourceMap;

use super::run::Page;
use super::suit::suited;

/// What the program sees as the address of its first map.
const FIRST_MAP: u64 = 0x10_000;
/// What a helper gives where it fails: -ENOENT, -E2BIG, -EEXIST.
const NOT_FOUND: u64 = -2i64 as u64;
const FULL: u64 = -7i64 as u64;
const EXISTS: u64 = -17i64 as u64;
/// Flags of an update: BPF_NOEXIST, BPF_EXIST.
const NO_EXIST: u64 = 1;
const EXIST: u64 = 2;

/// Helpers: the number in `enum bpf_func_id`, how many arguments it takes, and what it does here.
pub const HELPERS: [(u32, u8, rbpf::ebpf::Helper); 9] = [
    (1, 2, map_lookup_elem),
    (2, 4, map_update_elem),
    (3, 2, map_delete_elem),
    (5, 0, ktime_get_ns),
    (113, 3, probe_read_kernel),
    (115, 3, probe_read_kernel_str),
    (130, 4, ringbuf_output),
    (134, 2, ringbuf_query),
    (195, 3, map_lookup_percpu_elem),
];

/// A map in this process. A value stays where it is while the program may point to it.
struct Emulated {
    spec: MapSpec,
    entries: BTreeMap<Vec<u8>, Box<[u64]>>,
}

impl Emulated {
    fn new(spec: &MapSpec) -> Emulated {
        let mut map = Emulated { spec: spec.clone(), entries: BTreeMap::new() };
        if map.is_array() {
            let keys = 0..spec.max_entries;
            map.entries = keys.map(|key| (key.to_le_bytes().to_vec(), map.zeroes())).collect();
        }
        map
    }

    fn is_array(&self) -> bool {
        matches!(self.spec.kind, MapKind::Array | MapKind::PercpuArray)
    }

    fn zeroes(&self) -> Box<[u64]> {
        vec![0; self.spec.value_len_bytes.div_ceil(8) as usize].into()
    }

    /// The entries as the kernel gives them.
    fn bytes(&self) -> impl Iterator<Item = (&[u8], Vec<u8>)> {
        let len_bytes = self.spec.value_len_bytes as usize;
        let bytes = move |value: &[u64]| {
            let all: Vec<u8> = value.iter().flat_map(|word| word.to_ne_bytes()).collect();
            all[..len_bytes].to_vec()
        };
        self.entries.iter().map(move |(key, value)| (key.as_slice(), bytes(value)))
    }
}

/// All that helpers work on.
#[derive(Default)]
struct World {
    maps: Vec<Emulated>,
    records: Vec<Vec<u8>>,
    /// Values that were removed while a pointer to them may be held.
    removed: Vec<Box<[u64]>>,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

fn with_map(map: u64, f: impl FnOnce(&mut Emulated, &mut Vec<Box<[u64]>>) -> u64) -> u64 {
    WORLD.with_borrow_mut(|world| {
        let World { maps, removed, .. } = world;
        f(&mut maps[(map - FIRST_MAP) as usize], removed)
    })
}

/// What lies at an address of the program.
fn read(address: u64, len_bytes: u64) -> Vec<u8> {
    // SAFETY: the program under test hands over addresses of its own stack, of its context or of values of the maps above, with
    // lengths that the compiler knows.
    #[expect(unsafe_code, reason = "a helper gets addresses")]
    unsafe { std::slice::from_raw_parts(address as *const u8, len_bytes as usize) }.to_vec()
}

fn write(address: u64, bytes: &[u8]) {
    // SAFETY: as for `read`.
    #[expect(unsafe_code, reason = "a helper gets addresses")]
    unsafe {
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), address as *mut u8, bytes.len());
    }
}

fn map_lookup_elem(map: u64, key: u64, _: u64, _: u64, _: u64) -> u64 {
    with_map(map, |map, _| {
        let key = read(key, map.spec.key_len_bytes.into());
        map.entries.get_mut(&key).map_or(0, |value| value.as_mut_ptr() as u64)
    })
}

fn map_lookup_percpu_elem(map: u64, key: u64, cpu: u64, _: u64, _: u64) -> u64 {
    if cpu == 0 { map_lookup_elem(map, key, 0, 0, 0) } else { 0 }
}

fn map_update_elem(map: u64, key: u64, value: u64, flags: u64, _: u64) -> u64 {
    with_map(map, |map, removed| {
        let key = read(key, map.spec.key_len_bytes.into());
        let bytes = read(value, map.spec.value_len_bytes.into());
        let is_known = map.entries.contains_key(&key);
        let has_room = !map.is_array() && map.entries.len() < map.spec.max_entries as usize;
        match (is_known, flags) {
            (true, NO_EXIST) => return EXISTS,
            (false, EXIST) => return NOT_FOUND,
            (false, _) if !has_room => return FULL,
            _ => {}
        }
        if let (true, Some(value)) = (map.is_array(), map.entries.get_mut(&key)) {
            write(value.as_mut_ptr() as u64, &bytes);
            return 0;
        }
        let mut new = map.zeroes();
        write(new.as_mut_ptr() as u64, &bytes);
        removed.extend(map.entries.insert(key, new));
        0
    })
}

fn map_delete_elem(map: u64, key: u64, _: u64, _: u64, _: u64) -> u64 {
    with_map(map, |map, removed| {
        let key = read(key, map.spec.key_len_bytes.into());
        match map.entries.remove(&key) {
            Some(value) => {
                removed.push(value);
                0
            }
            None => NOT_FOUND,
        }
    })
}

fn ktime_get_ns(_: u64, _: u64, _: u64, _: u64, _: u64) -> u64 {
    thread_local!(static START: Instant = Instant::now());
    // Never 1, by which random programs hide what is not to run.
    START.with(|start| start.elapsed().as_nanos() as u64) + 1_000_000
}

fn probe_read_kernel(to: u64, len_bytes: u64, from: u64, _: u64, _: u64) -> u64 {
    write(to, &read(from, len_bytes));
    0
}

fn probe_read_kernel_str(to: u64, len_bytes: u64, from: u64, _: u64, _: u64) -> u64 {
    let mut text = Vec::new();
    while (text.len() as u64) + 1 < len_bytes {
        match read(from + text.len() as u64, 1)[0] {
            0 => break,
            byte => text.push(byte),
        }
    }
    if len_bytes > 0 {
        text.push(0);
    }
    write(to, &text);
    text.len() as u64
}

fn ringbuf_output(_: u64, data: u64, len_bytes: u64, _: u64, _: u64) -> u64 {
    let record = read(data, len_bytes);
    WORLD.with_borrow_mut(|world| world.records.push(record));
    0
}

fn ringbuf_query(_: u64, _: u64, _: u64, _: u64, _: u64) -> u64 {
    0
}

/// What a program prints, or why rbpf cannot run it.
pub fn interpreted(sources: &SourceMap, program: hir::Program, kernel: &Kernel) -> Result<String, String> {
    let codes: Vec<Vec<u8>> = kernel.object.programs.iter().map(code).collect::<Result<_, _>>()?;
    WORLD.set(World { maps: kernel.object.maps.iter().map(Emulated::new).collect(), ..World::default() });
    let page = Page::default();
    let names = Box::new(ProgramNames::new(kernel.lowered.probe_names.clone(), Vec::new()));
    let printer = Printer::new(Box::new(page.clone()), Box::new(page.clone()), Format::Text, names);
    let outputs = &kernel.lowered.module.outputs;
    let mut screen = Screen::new(printer, program, sources, outputs, &[]);
    let mut maps = Maps { kernel };
    for kind in [ProbeKind::Begin, ProbeKind::End] {
        for (index, lowered) in kernel.lowered.programs.iter().enumerate() {
            let name = attach::name(index, lowered);
            let found = kernel.object.programs.iter().position(|code| code.name == name);
            let times = lowered.attach.iter().filter(|point| point.point.kind == kind).count();
            for code in found.map(|found| &codes[found]).into_iter().cycle().take(times) {
                execute(code)?;
            }
        }
        let records = WORLD.with_borrow_mut(|world| std::mem::take(&mut world.records));
        let events = records.iter().filter_map(|record| session::parse(outputs, record)).collect();
        screen.emit_all(KERNEL, events, &mut maps).map_err(|failure| failure.to_string())?;
    }
    screen.finish(0, &maps).map_err(|failure| failure.to_string())?;
    Ok(page.text())
}

/// A program's bytes, its maps' addresses filled in.
fn code(code: &ProgramCode) -> Result<Vec<u8>, String> {
    let mut insns = code.insns.clone();
    for (slot, map) in &code.map_slots {
        let [low, high] = Insn::load_imm64(insns[*slot as usize].dst, (FIRST_MAP + u64::from(*map)) as i64);
        insns[*slot as usize] = low;
        insns[*slot as usize + 1] = high;
    }
    let is_unknown = |insn: &&Insn| insn.src != 0 || !HELPERS.iter().any(|(number, ..)| *number as i32 == insn.imm);
    if let Some(call) = insns.iter().filter(|insn| insn.code == CALL).find(is_unknown) {
        return Err(format!("there is no helper {}", call.imm));
    }
    Ok(suited(&insns)?.iter().flat_map(|insn| insn.bytes()).collect())
}

fn execute(code: &[u8]) -> Result<u64, String> {
    let mut vm = rbpf::EbpfVmRaw::new(Some(code)).map_err(|error| format!("{error:?}"))?;
    for (number, _, helper) in HELPERS {
        vm.register_helper(number, helper).map_err(|error| format!("{error:?}"))?;
    }
    // The values of maps lie anywhere.
    vm.register_allowed_memory(0..u64::MAX);
    vm.execute_program(&mut [0; 96]).map_err(|error| format!("{error:?}"))
}

/// The script's maps in the world.
struct Maps<'a> {
    kernel: &'a Kernel,
}

impl Maps<'_> {
    fn index(&self, id: MapId) -> Option<usize> {
        self.kernel.lowered.module.maps.iter().position(|def| def.script == Some(id))
    }
}

impl Store for Maps<'_> {
    fn entries(&self, id: MapId) -> io::Result<Option<Vec<Entry>>> {
        let Some(index) = self.index(id) else { return Ok(None) };
        let def = &self.kernel.lowered.module.maps[index];
        let entries = WORLD.with_borrow(|world| {
            let entries = world.maps[index].bytes();
            entries.map(|(key, value)| maps::decoded(def, key, &[value])).collect()
        });
        Ok(Some(entries))
    }

    fn clear(&mut self, id: MapId) -> io::Result<()> {
        let Some(index) = self.index(id) else { return Ok(()) };
        WORLD.with_borrow_mut(|world| world.maps[index] = Emulated::new(&world.maps[index].spec));
        Ok(())
    }

    fn zero(&mut self, id: MapId) -> io::Result<()> {
        let Some(index) = self.index(id) else { return Ok(()) };
        WORLD.with_borrow_mut(|world| world.maps[index].entries.values_mut().for_each(|value| value.fill(0)));
        Ok(())
    }
}
