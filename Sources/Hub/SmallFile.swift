// Small files, directories and links, read and written whole or not at all.

internal import CLinux
internal import Glibc

enum SmallFile {
    /// - Throws: when it cannot be read, or is larger than `bytesMax`.
    static func read(_ path: String, bytesMax: Int) throws(HubError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw diskError(path, "cannot be read") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count == 0 { return bytes }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw diskError(path, "cannot be read")
            }
            bytes += buffer[..<count]
            guard bytes.count <= bytesMax else {
                throw HubError(
                    .disk, "\(path.printable) has more than \(bytesMax) bytes, so it is not what it should be")
            }
        }
    }

    /// The first bytes of a file, or fewer where it is shorter.
    static func beginning(_ path: String, count: Int) throws(HubError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw diskError(path, "cannot be read") }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: count)
        let read = pread(descriptor, &bytes, count, 0)
        guard read >= 0 else { throw diskError(path, "cannot be read") }
        return Array(bytes.prefix(read))
    }

    /// Puts a file in place whole: readers see the old one or the new one.
    static func write(_ bytes: [UInt8], to path: String) throws(HubError) {
        let temporary = temporaryName(beside: path)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw diskError(path, "cannot be written") }
        var written = 0
        var isWhole = true
        while written < bytes.count, isWhole {
            let count = bytes[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 { written += count } else { isWhole = count < 0 && errno == EINTR }
        }
        isWhole = isWhole && fdatasync(descriptor) == 0
        let code = errno
        close(descriptor)
        guard isWhole, rename(temporary, path) == 0 else {
            let failure = diskError(path, "cannot be written", isWhole ? errno : code)
            unlink(temporary)
            throw failure
        }
    }

    /// Size of an ordinary file, links followed; `nil` where there is none.
    static func size(_ path: String) -> UInt64? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return UInt64(status.st_size)
    }

    static func makeDirectories(_ path: String) throws(HubError) {
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { return }
        if let slash = path.lastIndex(of: "/"), slash > path.startIndex {
            try makeDirectories(String(path[..<slash]))
        }
        guard mkdir(path, 0o777) == 0 || errno == EEXIST else { throw diskError(path, "cannot be made") }
    }

    /// Puts a symbolic link in place, over one that may be there.
    static func link(_ path: String, to target: String) throws(HubError) {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &buffer, buffer.count)
        if count == target.utf8.count, buffer.prefix(count).map({ UInt8(bitPattern: $0) }) == Array(target.utf8) {
            return
        }
        let temporary = temporaryName(beside: path)
        guard symlink(target, temporary) == 0 else { throw diskError(path, "cannot be made") }
        guard rename(temporary, path) == 0 else {
            let failure = diskError(path, "cannot be made")
            unlink(temporary)
            throw failure
        }
    }

    /// Several processes may write one file at once; each has a name of its own for what is not whole yet.
    private static func temporaryName(beside path: String) -> String {
        "\(path).\(getpid()).\(UInt32.random(in: 0...UInt32.max)).tmp"
    }

    /// Names in a directory; none where there is no such directory.
    static func names(in directory: String) -> Set<String> {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: Set<String> = []
        while let item = readdir(stream) {
            names.insert(
                withUnsafeBytes(of: &item.pointee.d_name) {
                    String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        return names.subtracting([".", ".."])
    }
}

/// What the system says about a path, and what to do where that is known.
func diskError(_ path: String, _ problem: String, _ code: Int32 = errno) -> HubError {
    let advice =
        switch code {
        case ENOSPC, EDQUOT: "; make room there, or set HF_HUB_CACHE to a directory on another disk, and start again"
        case EFBIG: "; files may not be as large here (ulimit -f, or the file system)"
        case EACCES, EPERM, EROFS: "; set HF_HUB_CACHE to a directory that can be written"
        default: ""
        }
    return HubError(.disk, "\(path.printable) \(problem): \(systemText(code))\(advice)")
}

/// The system's words for an error number.
func systemText(_ code: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
