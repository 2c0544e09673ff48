// An open file that is only read.

internal import CLinux
internal import Glibc

/// One descriptor, closed when the last reference goes.
final class ReadOnlyFile: Sendable {
    let path: String
    /// Last component of ``path``, as errors name it.
    let name: String
    let descriptor: Int32
    /// Size when it was opened.
    let byteCount: UInt64

    convenience init(path: String) throws(CheckpointError) { try self.init(path: path, flags: 0) }

    /// A file whose reads go past the page cache; `nil` where the file system has none.
    static func directly(_ path: String) -> ReadOnlyFile? {
        guard let file = try? ReadOnlyFile(path: path, flags: clinux_o_direct()) else { return nil }
        // Some file systems open the file and then refuse to read.
        var block: UnsafeMutableRawPointer?
        guard posix_memalign(&block, ReadRun.blockBytes, ReadRun.blockBytes) == 0, let block else { return nil }
        defer { free(block) }
        return pread(file.descriptor, block, ReadRun.blockBytes, 0) < 0 ? nil : file
    }

    private init(path: String, flags: Int32) throws(CheckpointError) {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        // O_NONBLOCK: opening a named pipe must not wait for a writer; it changes nothing for ordinary files.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags)
        guard descriptor >= 0 else {
            let code = errno
            throw CheckpointError(
                code == ENOENT ? .missingFile : .unreadable, file: path, "cannot be opened: \(systemMessage(code))")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size >= 0 else {
            Glibc.close(descriptor)
            throw CheckpointError(.unreadable, file: path, "is not an ordinary file")
        }
        guard UInt64(status.st_size) <= CheckpointLimits.fileBytesMax else {
            Glibc.close(descriptor)
            throw CheckpointError(
                .unsupported, file: path, "has \(status.st_size) bytes, more than \(CheckpointLimits.fileBytesMax)")
        }
        self.path = path
        self.name = name
        self.descriptor = descriptor
        self.byteCount = UInt64(status.st_size)
    }

    deinit { Glibc.close(descriptor) }

    /// Tells the kernel that reads will be few and scattered, so that each does not fetch its neighbourhood.
    func expectScatteredReads() {
        _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_RANDOM)
    }

    /// Whether the page cache holds all of `range`. `false` where the kernel (before 6.5) does not say.
    func isCached(_ range: Range<UInt64>) -> Bool {
        let pageBytes = UInt64(getpagesize())
        let pages = (range.upperBound + pageBytes - 1) / pageBytes - range.lowerBound / pageBytes
        return clinux_cached_pages(descriptor, range.lowerBound, UInt64(range.count)) >= Int64(pages)
    }

    /// Tells the page cache that `range` will not be read again.
    func dropCached(_ range: Range<UInt64>) {
        _ = posix_fadvise(descriptor, off_t(range.lowerBound), off_t(range.count), POSIX_FADV_DONTNEED)
    }

    /// `count` bytes from `offset`, or fewer where the file ends.
    func read(at offset: UInt64, count: Int) throws(CheckpointError) -> [UInt8] {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count, let base = buffer.baseAddress {
                let result = pread(descriptor, base + filled, count - filled, off_t(offset) + off_t(filled))
                if result > 0 {
                    filled += result
                } else if result == 0 {
                    break
                } else if errno != EINTR {
                    failure = errno
                    break
                }
            }
        }
        guard failure == 0 else {
            throw CheckpointError(
                .unreadable, file: path, "cannot be read at byte \(offset): \(systemMessage(failure))")
        }
        return bytes
    }

    /// The whole of a small file.
    static func contents(path: String, bytesMax: Int) throws(CheckpointError) -> [UInt8] {
        let file = try ReadOnlyFile(path: path)
        guard file.byteCount <= bytesMax else {
            throw CheckpointError(.unsupported, file: path, "has \(file.byteCount) bytes, more than \(bytesMax)")
        }
        return try file.read(at: 0, count: Int(file.byteCount))
    }
}

/// The system's words for an error number.
func systemMessage(_ code: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
