//! The table of C functions that stands before SQLite's own file layer.
//!
//! A file of ours is a small head with SQLite's own file object behind it in the same allocation; every function looks at the
//! head, asks [`crate::state`], and calls the function of the same name of the object behind.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::size_of;
use std::ptr;
use std::sync::OnceLock;

use libsqlite3_sys as ffi;

use crate::state::{self, Fault, Op};

/// The layer that was there before: a plain function table, which SQLite never frees.
struct Below(*mut ffi::sqlite3_vfs);
// SAFETY: the table is immutable after registration, and SQLite itself shares it between threads.
unsafe impl Send for Below {}
// SAFETY: as above.
unsafe impl Sync for Below {}

static BELOW: OnceLock<Below> = OnceLock::new();

#[repr(C)]
struct Head {
    base: ffi::sqlite3_file,
    /// Name within the watched folder, owned; null for a file elsewhere.
    name: *mut String,
}

/// Makes the layer SQLite's default, once.
pub fn install() {
    BELOW.get_or_init(|| {
        // SAFETY: called with a null name SQLite returns its default layer, which lives as long as the process.
        let below = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
        assert!(!below.is_null(), "SQLite has no file layer");
        // SAFETY: `below` points to a valid table, of which a copy is made.
        let mut ours = unsafe { *below };
        ours.pNext = ptr::null_mut();
        ours.zName = c"parley-faults".as_ptr();
        ours.szOsFile += c_int::try_from(size_of::<Head>()).unwrap_or(c_int::MAX);
        ours.xOpen = Some(open);
        ours.xDelete = Some(delete);
        // SAFETY: the table is leaked, so it outlives every connection.
        let done = unsafe { ffi::sqlite3_vfs_register(Box::into_raw(Box::new(ours)), 1) };
        assert_eq!(done, ffi::SQLITE_OK, "the layer cannot be registered");
        Below(below)
    });
}

fn below() -> *mut ffi::sqlite3_vfs {
    BELOW.get().map_or(ptr::null_mut(), |below| below.0)
}

/// SQLite's own file object, behind our head.
unsafe fn real(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: SQLite allocated `szOsFile` bytes, which holds the head and the object behind it.
    unsafe { file.cast::<u8>().add(size_of::<Head>()).cast() }
}

unsafe fn name(file: *mut ffi::sqlite3_file) -> Option<String> {
    // SAFETY: `open` wrote the head, and `close` alone frees the name.
    unsafe { (*file.cast::<Head>()).name.as_ref().cloned() }
}

/// Calls a function of the object behind; a layer below that lacks it answers with an I/O error.
macro_rules! pass {
    ($file:expr, $method:ident $(, $argument:expr)*) => {{
        // SAFETY: the object behind was opened by the layer below, whose table fits it.
        unsafe {
            let real = real($file);
            match (*(*real).pMethods).$method {
                Some(call) => call(real $(, $argument)*),
                None => ffi::SQLITE_IOERR,
            }
        }
    }};
}

fn code(fault: Fault, device: c_int) -> c_int {
    match fault {
        Fault::Full => ffi::SQLITE_FULL,
        Fault::Device => device,
        Fault::ReadOnly => ffi::SQLITE_READONLY,
    }
}

fn text(path: *const c_char) -> String {
    if path.is_null() {
        return String::new();
    }
    // SAFETY: SQLite hands over paths that end with a zero byte.
    unsafe { CStr::from_ptr(path) }.to_string_lossy().into_owned()
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    let head = file.cast::<Head>();
    // SAFETY: SQLite allocated the file; a null table tells it that there is nothing to close.
    unsafe {
        (*head).base.pMethods = ptr::null();
        (*head).name = ptr::null_mut();
    }
    let full = text(path);
    let watched = state::within(&full);
    let creates = flags & ffi::SQLITE_OPEN_CREATE != 0 && !std::path::Path::new(&full).exists();
    if let Some(watched) = &watched
        && creates
    {
        if state::verdict(false).is_some() {
            return ffi::SQLITE_CANTOPEN;
        }
        state::keep(Op::Create { file: watched.clone() });
    }
    // SAFETY: the layer below is given the part of the allocation that is its own.
    unsafe {
        let real = real(file);
        let done = match (*below()).xOpen {
            Some(call) => call(below(), path, real, flags, out),
            None => ffi::SQLITE_CANTOPEN,
        };
        if !(*real).pMethods.is_null() {
            (*head).base.pMethods = &METHODS;
            (*head).name = watched.map_or(ptr::null_mut(), |name| Box::into_raw(Box::new(name)));
        }
        done
    }
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, path: *const c_char, sync: c_int) -> c_int {
    let watched = state::within(&text(path));
    if watched.is_some()
        && let Some(fault) = state::verdict(false)
    {
        return code(fault, ffi::SQLITE_IOERR_DELETE);
    }
    // SAFETY: called with what SQLite gave.
    let done = unsafe { (*below()).xDelete.map_or(ffi::SQLITE_IOERR, |call| call(below(), path, sync)) };
    if let Some(file) = watched
        && done == ffi::SQLITE_OK
    {
        state::keep(Op::Delete { file, synced: sync != 0 });
    }
    done
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let done = pass!(file, xClose);
    // SAFETY: the name was boxed by `open`, and SQLite closes a file once.
    unsafe {
        let head = file.cast::<Head>();
        if !(*head).name.is_null() {
            drop(Box::from_raw((*head).name));
            (*head).name = ptr::null_mut();
        }
    }
    done
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, to: *mut c_void, amount: c_int, offset: i64) -> c_int {
    pass!(file, xRead, to, amount, offset)
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, amount: c_int, offset: i64) -> c_int {
    // SAFETY: `file` is one of ours.
    let watched = unsafe { name(file) };
    if watched.is_some()
        && let Some(fault) = state::verdict(false)
    {
        return code(fault, ffi::SQLITE_IOERR_WRITE);
    }
    let done = pass!(file, xWrite, from, amount, offset);
    if let Some(file) = watched
        && done == ffi::SQLITE_OK
    {
        // SAFETY: SQLite hands over `amount` readable bytes.
        let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), usize::try_from(amount).unwrap_or(0)) };
        state::keep(Op::Write { file, offset: u64::try_from(offset).unwrap_or(0), bytes: bytes.to_vec() });
    }
    done
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: `file` is one of ours.
    let watched = unsafe { name(file) };
    if watched.is_some()
        && let Some(fault) = state::verdict(false)
    {
        return code(fault, ffi::SQLITE_IOERR_TRUNCATE);
    }
    let done = pass!(file, xTruncate, size);
    if let Some(file) = watched
        && done == ffi::SQLITE_OK
    {
        state::keep(Op::Truncate { file, size: u64::try_from(size).unwrap_or(0) });
    }
    done
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: `file` is one of ours.
    let watched = unsafe { name(file) };
    if watched.is_some()
        && let Some(fault) = state::verdict(true)
    {
        return code(fault, ffi::SQLITE_IOERR_FSYNC);
    }
    let done = pass!(file, xSync, flags);
    if let Some(file) = watched
        && done == ffi::SQLITE_OK
    {
        state::keep(Op::Sync { file });
    }
    done
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    pass!(file, xFileSize, size)
}
unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    pass!(file, xLock, level)
}
unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    pass!(file, xUnlock, level)
}
unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    pass!(file, xCheckReservedLock, out)
}
unsafe extern "C" fn file_control(file: *mut ffi::sqlite3_file, op: c_int, argument: *mut c_void) -> c_int {
    pass!(file, xFileControl, op, argument)
}
unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    pass!(file, xSectorSize)
}
unsafe extern "C" fn device_characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    pass!(file, xDeviceCharacteristics)
}
unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // The index of the log grows in blocks of 32 KiB: on a full disk it cannot.
    // SAFETY: `file` is one of ours.
    if extend != 0 && page > 0 && unsafe { name(file) }.is_some() && state::failing() {
        return ffi::SQLITE_IOERR_SHMSIZE;
    }
    pass!(file, xShmMap, page, size, extend, out)
}
unsafe extern "C" fn shm_lock(file: *mut ffi::sqlite3_file, offset: c_int, count: c_int, flags: c_int) -> c_int {
    pass!(file, xShmLock, offset, count, flags)
}
unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: the object behind was opened by the layer below, whose table fits it.
    unsafe {
        let real = real(file);
        if let Some(call) = (*(*real).pMethods).xShmBarrier {
            call(real);
        }
    }
}
unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, delete: c_int) -> c_int {
    pass!(file, xShmUnmap, delete)
}
unsafe extern "C" fn fetch(file: *mut ffi::sqlite3_file, offset: i64, amount: c_int, out: *mut *mut c_void) -> c_int {
    pass!(file, xFetch, offset, amount, out)
}
unsafe extern "C" fn unfetch(file: *mut ffi::sqlite3_file, offset: i64, page: *mut c_void) -> c_int {
    pass!(file, xUnfetch, offset, page)
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 3,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: Some(fetch),
    xUnfetch: Some(unfetch),
};
