//! Compression by all processors, into bytes that depend on what is compressed and on nothing else.
//!
//! What is written is cut into blocks of one size, each is compressed by itself, and the results follow each other in
//! order: in gzip as deflate blocks of one member (RFC 1951: each ends at a byte by an empty stored block, as that of a
//! flush does), in zstd as frames (RFC 8878). How many threads there were cannot be told from them. No more blocks
//! than twice that many are held.

use ctr_core::{Code, Error, Result};
use flate2::{Compress, Crc, FlushCompress, Status};
use std::{
    collections::VecDeque,
    fmt,
    io::{self, Write},
    str::FromStr,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread,
};

/// One below gzip(1)'s own: a sixth less work for 0.3 % more bytes.
const GZIP_LEVEL: u32 = 5;
/// zstd(1)'s own.
const ZSTD_LEVEL: i32 = 3;
/// No flags, no time, no name, unknown system (RFC 1952): only the content counts.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// More would take memory, and are not faster than the disk.
const MOST_THREADS: usize = 16;

/// How a layer is to be compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// One gzip member: what every tool reads.
    #[default]
    Gzip,
    /// zstd frames: smaller and faster, read by tools of the last years.
    Zstd,
    /// A plain tar.
    None,
}

impl Compression {
    /// The media type of such a layer (image-spec, layer.md).
    pub fn media_type(self) -> &'static str {
        use ctr_store::media_type;
        match self {
            Self::Gzip => media_type::OCI_LAYER_GZIP,
            Self::Zstd => media_type::OCI_LAYER_ZSTD,
            Self::None => media_type::OCI_LAYER,
        }
    }

    /// Bytes of a block: enough for what it begins with not to matter, few enough for a small layer to have several.
    fn block(self) -> usize {
        match self {
            Self::Gzip => 256 << 10,
            Self::Zstd | Self::None => 2 << 20,
        }
    }
}

impl FromStr for Compression {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        match word {
            "gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            "none" => Ok(Self::None),
            _ => Err(Error::new(Code::Usage, format!("{word:?} is not gzip, zstd or none"))),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::None => "none",
        })
    }
}

/// A block on its way, and back.
#[derive(Default)]
struct Block {
    plain: Vec<u8>,
    packed: Vec<u8>,
    crc: Crc,
    is_last: bool,
}

/// Compresses what is written to it into `out`.
pub(crate) struct Compressor<'a> {
    out: &'a mut dyn Write,
    kind: Compression,
    block: Block,
    workers: Workers,
    pending: VecDeque<Receiver<io::Result<Block>>>,
    /// Blocks that came back: their memory is used again.
    spare: Vec<Block>,
    crc: Crc,
    begun: bool,
}

impl<'a> Compressor<'a> {
    pub(crate) fn new(out: &'a mut dyn Write, kind: Compression) -> Self {
        let workers = Workers::new(kind);
        Self {
            out,
            kind,
            block: Block::default(),
            workers,
            pending: VecDeque::new(),
            spare: Vec::new(),
            crc: Crc::new(),
            begun: false,
        }
    }

    /// Compresses what is left, and ends the stream.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        if self.kind == Compression::None {
            return Ok(());
        }
        self.block.is_last = true;
        if self.pending.is_empty() {
            // A thread for it would only cost.
            let block = compress(self.kind, std::mem::take(&mut self.block), &mut state())?;
            self.give(&block)?;
        } else {
            self.submit()?;
            while let Some(next) = self.pending.pop_front() {
                self.take(&next)?;
            }
        }
        if self.kind == Compression::Gzip {
            self.out.write_all(&[self.crc.sum().to_le_bytes(), self.crc.amount().to_le_bytes()].concat())?;
        }
        Ok(())
    }

    fn submit(&mut self) -> io::Result<()> {
        let next = self.spare.pop().unwrap_or_default();
        let block = std::mem::replace(&mut self.block, next);
        self.pending.push_back(self.workers.compress(block)?);
        if self.pending.len() > 2 * self.workers.most
            && let Some(first) = self.pending.pop_front()
        {
            self.take(&first)?;
        }
        Ok(())
    }

    /// Waits for a block, and writes it.
    fn take(&mut self, from: &Receiver<io::Result<Block>>) -> io::Result<()> {
        let mut block = from.recv().map_err(|_| io::Error::other("a thread that compresses ended"))??;
        self.give(&block)?;
        block.plain.clear();
        self.spare.push(block);
        Ok(())
    }

    fn give(&mut self, block: &Block) -> io::Result<()> {
        if self.kind == Compression::Gzip {
            if !self.begun {
                self.out.write_all(&GZIP_HEADER)?;
            }
            self.crc.combine(&block.crc);
        }
        self.begun = true;
        self.out.write_all(&block.packed)
    }
}

impl Write for Compressor<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.kind == Compression::None {
            return self.out.write(bytes);
        }
        let room = self.kind.block() - self.block.plain.len();
        let taken = bytes.len().min(room);
        // All at once: a buffer that grows is copied again and again.
        if self.block.plain.capacity() == 0 {
            self.block.plain.reserve_exact(self.kind.block());
        }
        self.block.plain.extend_from_slice(&bytes[..taken]);
        if taken == room {
            self.submit()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A block, and where it goes to when it is compressed.
type Job = (Block, SyncSender<io::Result<Block>>);

/// Threads that compress, started as there is work for them. They end when this is dropped.
struct Workers {
    kind: Compression,
    most: usize,
    started: usize,
    jobs: Sender<Job>,
    queue: Arc<Mutex<Receiver<Job>>>,
}

impl Workers {
    fn new(kind: Compression) -> Self {
        let (jobs, queue) = channel();
        let most = thread::available_parallelism().map_or(1, |n| n.get().min(MOST_THREADS));
        Self { kind, most, started: 0, jobs, queue: Arc::new(Mutex::new(queue)) }
    }

    fn compress(&mut self, block: Block) -> io::Result<Receiver<io::Result<Block>>> {
        if self.started < self.most {
            let (kind, queue) = (self.kind, self.queue.clone());
            thread::Builder::new().spawn(move || work(kind, &queue))?;
            self.started += 1;
        }
        let (done, receiver) = sync_channel(1);
        self.jobs.send((block, done)).map_err(|_| io::Error::other("no thread to compress"))?;
        Ok(receiver)
    }
}

/// What deflate works in.
fn state() -> Compress {
    Compress::new(flate2::Compression::new(GZIP_LEVEL), false)
}

fn work(kind: Compression, queue: &Mutex<Receiver<Job>>) {
    // Made once: it is more memory than a block.
    let mut state = state();
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((block, done)) = job else { return };
        // Whoever asked may have failed meanwhile.
        let _ = done.send(compress(kind, block, &mut state));
    }
}

fn compress(kind: Compression, mut block: Block, state: &mut Compress) -> io::Result<Block> {
    block.packed.clear();
    match kind {
        Compression::Gzip => {
            block.crc = Crc::new();
            block.crc.update(&block.plain);
            deflate(&block.plain, &mut block.packed, block.is_last, state)?;
        }
        Compression::Zstd => {
            let mut encoder = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
            encoder.include_checksum(true)?;
            block.packed.reserve(zstd::zstd_safe::compress_bound(block.plain.len()));
            encoder.compress_to_buffer(&block.plain, &mut block.packed)?;
        }
        Compression::None => block.packed.extend_from_slice(&block.plain),
    }
    Ok(block)
}

fn deflate(plain: &[u8], packed: &mut Vec<u8>, is_last: bool, deflate: &mut Compress) -> io::Result<()> {
    // What it compressed before does not show: as to end it and to make another, but for the memory (deflateReset, zlib's manual).
    deflate.reset();
    let flush = if is_last { FlushCompress::Finish } else { FlushCompress::Sync };
    packed.reserve(plain.len() + plain.len() / 64 + 64);
    loop {
        let done = deflate.total_in() as usize;
        let status = deflate.compress_vec(&plain[done..], packed, flush)?;
        let has_room = packed.len() < packed.capacity();
        let is_done = if is_last { status == Status::StreamEnd } else { has_room };
        if is_done && deflate.total_in() as usize == plain.len() {
            return Ok(());
        }
        packed.reserve(1 << 12);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Read;

    fn compressed(kind: Compression, bytes: &[u8], piece: usize, threads: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut compressor = Compressor::new(&mut out, kind);
        compressor.workers.most = threads;
        for piece in bytes.chunks(piece) {
            compressor.write_all(piece).unwrap();
        }
        compressor.finish().unwrap();
        out
    }

    /// Text that does not repeat itself, of more than one block.
    fn text(size: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b"etaoin shrdlu\n"[(state >> 24) as usize % 14]
        };
        (0..size).map(|_| next()).collect()
    }

    #[test]
    fn the_content_alone_counts() {
        for kind in [Compression::Gzip, Compression::Zstd] {
            let block = kind.block();
            for size in [0, 1, block - 1, block, block + 1, 5 * block + 77] {
                let text = text(size);
                let first = compressed(kind, &text, 1 << 20, 1);
                let mut back = Vec::new();
                crate::open(io::Cursor::new(first.clone())).unwrap().read_to_end(&mut back).unwrap();
                assert!(back == text, "{kind} {size}");
                assert!(first == compressed(kind, &text, 100_001, 4), "{kind} {size}");
            }
        }
    }

    /// Which blocks a thread gets is chance.
    #[test]
    fn a_state_that_was_reset_is_as_new() {
        let text = text(1 << 20);
        let mixed: Vec<u8> =
            text.chunks(1000).flat_map(|part| [part, &[0; 300], &part[..part.len() / 3]].concat()).collect();
        let mut used = state();
        for step in 1..400 {
            let (from, length) = (step * 7919 % (1 << 19), [0, 1, 3, 70, 5000, 40_000, 256 << 10][step % 7]);
            let block = &[&mixed, &text][step / 7 % 2][from..from + length];
            let (mut one, mut other) = (Vec::new(), Vec::new());
            deflate(block, &mut one, step % 5 == 0, &mut used).unwrap();
            deflate(block, &mut other, step % 5 == 0, &mut state()).unwrap();
            assert!(one == other, "{step}");
        }
    }

    /// One member: some read no more than that.
    #[test]
    fn gzip_is_one_member() {
        let text = text(3 * Compression::Gzip.block());
        let packed = compressed(Compression::Gzip, &text, 1 << 16, 2);
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut back).unwrap();
        assert!(back == text);
    }

    #[test]
    fn noise_grows_by_little() {
        let mut state = 7_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .take(3 << 20)
        .collect();
        for kind in [Compression::Gzip, Compression::Zstd] {
            let packed = compressed(kind, &noise, 1 << 16, 2);
            assert!(packed.len() < noise.len() + noise.len() / 500, "{kind}");
        }
    }

    #[test]
    fn a_disk_that_is_full_is_an_error() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut full = Full(1000);
        let mut compressor = Compressor::new(&mut full, Compression::Gzip);
        let error = compressor.write_all(&text(20 << 20)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
