// A file of which some has arrived: its bytes in a sparse file, and beside it a record of what is there.

internal import CLinux
internal import Glibc
internal import Synchronization

/// `<digest>.part` has the size of the whole file and holes where nothing has arrived; `<digest>.ranges` says what has.
/// The record never claims what the disk may not have. Any number of processes may add to one file at once: they claim
/// ranges, so that none is fetched twice, and add what they have to the record one after the other.
final class PartialFile: Sendable {
    /// Path of the sparse file.
    let path: String
    let size: UInt64
    private let descriptor: Int32
    private let places: Places
    private let known: Mutex<RangeSet<UInt64>>

    private struct Places {
        let data: String
        let record: String
        let lock: String

        init(_ directory: String, _ digest: String) {
            data = "\(directory)/\(digest).part"
            record = "\(directory)/\(digest).ranges"
            lock = "\(directory)/\(digest).lock"
        }
    }

    private static let recordBytesMax = 16 << 20
    private static let recordTitle = "ring ranges 1"

    /// What has arrived of a file. Makes nothing.
    static func present(in directory: String, digest: String, size: UInt64) -> (path: String, RangeSet<UInt64>)? {
        let places = Places(directory, digest)
        guard SmallFile.size(places.data) == size else { return nil }
        return readRecord(places.record, size: size).map { (places.data, $0) }
    }

    /// Opens what there is of a file, or begins it.
    init(in directory: String, digest: String, size: UInt64) throws(HubError) {
        let places = Places(directory, digest)
        descriptor = try Self.locked(places) { () throws(HubError) -> Int32 in
            if SmallFile.size(places.data) != size {
                // A record without its file would make holes look like data.
                unlink(places.record)
                unlink(places.data)
            }
            let descriptor = open(places.data, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else { throw diskError(places.data, "cannot be opened") }
            guard ftruncate(descriptor, off_t(size)) == 0 else {
                let failure = diskError(places.data, "cannot have the \(sizeText(size)) that it needs")
                close(descriptor)
                unlink(places.data)
                throw failure
            }
            return descriptor
        }
        self.places = places
        self.path = places.data
        self.size = size
        known = Mutex(Self.readRecord(places.record, size: size) ?? RangeSet())
    }

    deinit { close(descriptor) }

    /// What has arrived, by any process.
    func present() -> RangeSet<UInt64> {
        known.withLock { known in
            if let recorded = Self.readRecord(places.record, size: size) { known.formUnion(recorded) }
            return known
        }
    }

    var isWhole: Bool { present().isSuperset(of: RangeSet(0..<size)) }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(HubError) {
        var rest = UnsafeRawBufferPointer(rebasing: bytes[...])
        var offset = offset
        while rest.count > 0 {
            let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw diskError(path, "cannot be written", count == 0 ? ENOSPC : errno) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            offset += UInt64(count)
        }
    }

    /// Adds what was written to the record, after the disk has it.
    func add(_ ranges: RangeSet<UInt64>) throws(HubError) {
        guard fdatasync(descriptor) == 0 else { throw diskError(path, "cannot be written") }
        try Self.locked(places) { () throws(HubError) in
            try checkIsOurs()
            let all = known.withLock { known in
                if let recorded = Self.readRecord(places.record, size: size) { known.formUnion(recorded) }
                known.formUnion(ranges)
                return known
            }
            let lines = [Self.recordTitle, "\(size)"] + all.ranges.map { "\($0.lowerBound)-\($0.upperBound)" }
            try SmallFile.write(Array((lines.joined(separator: "\n") + "\n").utf8), to: places.record)
        }
    }

    // MARK: Claims

    /// Keeps other processes from fetching a range too; `false` when one of them is at it. Where the file system knows
    /// no such locks, a range may be fetched twice, which harms nothing.
    func claim(_ range: Range<UInt64>) -> Bool {
        let result = clinux_lock_range(descriptor, range.lowerBound, UInt64(range.count))
        return result != EAGAIN && result != EACCES
    }

    func giveUp(_ range: Range<UInt64>) {
        clinux_unlock_range(descriptor, range.lowerBound, UInt64(range.count))
    }

    // MARK: The end

    /// Checks the whole file and gives it its name among the blobs, under which it is found from then on. Its old name
    /// stays for processes that read it.
    /// - Returns: `false` when interrupted.
    func promote(
        to blob: String, digest: String, name: String, isInterrupted: () -> Bool
    ) throws(HubError) -> Bool {
        guard let kind = Digest(digest) else { throw HubError(.contradiction, "'\(digest)' is no checksum") }
        guard let computed = try kind.ofFile(descriptor, byteCount: size, isInterrupted: isInterrupted) else {
            return false
        }
        return try Self.locked(places) { () throws(HubError) in
            guard computed == digest else {
                unlink(places.record)
                unlink(places.data)
                throw HubError(
                    .damaged,
                    "\(name) does not match its checksum: \(digest) was announced and \(computed) arrived; "
                        + "it has been removed, start again to download it anew")
            }
            // Another process came to the same end first, and may have removed the part since.
            if SmallFile.size(blob) == size { return true }
            try checkIsOurs()
            guard fsync(descriptor) == 0 else { throw diskError(path, "cannot be written") }
            guard Glibc.link(path, blob) == 0 || errno == EEXIST else { throw diskError(blob, "cannot be made") }
            guard SmallFile.size(blob) == size else {
                throw HubError(.disk, "\(blob) should have \(size) bytes and has not; remove it and start again")
            }
            return true
        }
    }

    /// Removes what is left of parts once there is a blob.
    /// - Parameter secondsMin: how long it must have been there: other processes may be about to read the parts.
    static func removeLeftovers(in directory: String, digest: String, after secondsMin: Int) {
        let places = Places(directory, digest)
        var status = stat()
        guard stat(places.record, &status) == 0, time(nil) - status.st_mtim.tv_sec >= secondsMin else { return }
        try? locked(places) { () throws(HubError) in
            unlink(places.record)
            unlink(places.data)
            unlink(places.lock)
        }
    }

    /// - Throws: when another process found the file damaged and began a new one.
    private func checkIsOurs() throws(HubError) {
        var mine = stat()
        var there = stat()
        guard fstat(descriptor, &mine) == 0, stat(path, &there) == 0, mine.st_ino == there.st_ino else {
            throw HubError(.damaged, "\(path) was removed while it was written; start again")
        }
    }

    // MARK: Record

    private static func readRecord(_ path: String, size: UInt64) -> RangeSet<UInt64>? {
        guard let bytes = try? SmallFile.read(path, bytesMax: recordBytesMax) else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard lines.count >= 2, lines[0] == recordTitle, UInt64(lines[1]) == size else { return nil }
        var ranges = RangeSet<UInt64>()
        for line in lines[2...] {
            let bounds = line.split(separator: "-").map { UInt64($0) }
            guard bounds.count == 2, let low = bounds[0], let high = bounds[1], low < high, high <= size else {
                return nil
            }
            ranges.insert(contentsOf: low..<high)
        }
        return ranges
    }

    /// Runs `body` while no other process changes the record or replaces the file.
    private static func locked<R>(_ places: Places, _ body: () throws(HubError) -> R) throws(HubError) -> R {
        let lock = open(places.lock, O_RDWR | O_CREAT | O_CLOEXEC, 0o664)
        guard lock >= 0 else { throw diskError(places.lock, "cannot be made") }
        // Closing unlocks. Where the file system knows no locks, processes do without: at worst one's record is lost,
        // and what it says is fetched again.
        defer { close(lock) }
        while clinux_lock_file(lock, 1) == EINTR {}
        return try body()
    }
}
