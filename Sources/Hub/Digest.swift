// Checksums of downloads.

internal import CCrypto
internal import Glibc

/// What the hub names the contents of a file by.
enum Digest {
    /// SHA-256 of the contents: large files.
    case sha256
    /// SHA-1 of the contents after git's header: small files.
    case gitBlob

    /// By the length of its hexadecimal digits; `nil` for what is neither.
    init?(_ hexadecimal: String) {
        guard hexadecimal.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }) else {
            return nil
        }
        switch hexadecimal.utf8.count {
        case 64: self = .sha256
        case 40: self = .gitBlob
        default: return nil
        }
    }

    /// Hexadecimal digest of the first `byteCount` bytes of an open file.
    /// - Parameter isInterrupted: asked now and then; the answer is then `nil`.
    func ofFile(_ descriptor: Int32, byteCount: UInt64, isInterrupted: () -> Bool) throws(HubError) -> String? {
        guard let context = EVP_MD_CTX_new() else { throw HubError(.disk, "no memory to check what was downloaded") }
        defer { EVP_MD_CTX_free(context) }
        let function = self == .sha256 ? EVP_sha256() : EVP_sha1()
        guard EVP_DigestInit_ex(context, function, nil) == 1 else {
            throw HubError(.setting, "OpenSSL here does not compute the checksums that the hub uses")
        }
        if self == .gitBlob {
            let header = Array("blob \(byteCount)".utf8) + [0]
            EVP_DigestUpdate(context, header, header.count)
        }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var offset: UInt64 = 0
        while offset < byteCount {
            guard !isInterrupted() else { return nil }
            let count = pread(descriptor, &buffer, min(buffer.count, Int(byteCount - offset)), off_t(offset))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw diskError("a download", "cannot be read again") }
            // Shorter than it should be: its digest will not be the right one either.
            guard count > 0 else { break }
            EVP_DigestUpdate(context, buffer, count)
            offset += UInt64(count)
        }
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        EVP_DigestFinal_ex(context, &digest, &length)
        return digest.prefix(Int(length)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
