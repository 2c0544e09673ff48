// Which files a repository has at a commit: from the hub, and as the cache remembers it.

internal import FoundationEssentials

/// A file of a repository.
struct HubFile: Hashable, Sendable {
    /// Path in the repository.
    let name: String
    let size: UInt64
    /// What its contents are checked by, and the name of its blob in the cache: SHA-256 of large files, git's SHA-1 of
    /// small ones; hexadecimal.
    let digest: String
}

/// Every file of a repository at a commit, which never changes.
struct HubListing: Sendable {
    let files: [String: HubFile]

    /// Listings of the largest repositories have some ten thousand files.
    private static let filesMax = 200_000
    /// huggingface_hub's number for the form in which it keeps listings.
    private static let formatVersion = 1

    subscript(name: String) -> HubFile? { files[name] }
    var names: Set<String> { Set(files.keys) }

    // MARK: From the hub

    private struct Revision: Decodable {
        let sha: String
    }

    /// The commit in what the hub says of a revision.
    static func commit(in bytes: [UInt8], from client: HubClient) throws(HubError) -> String {
        guard let revision = try? JSONDecoder().decode(Revision.self, from: Data(bytes)),
            HubCache.isCommit(revision.sha)
        else {
            throw HubError(
                .contradiction, "\(client.settings.endpoint) names no commit of \(client.id); is it a Hugging Face hub?"
            )
        }
        return revision.sha
    }

    private struct Page: Decodable {
        let type: String
        let path: String
        let size: UInt64?
        let oid: String?
        let lfs: LargeFile?
        let xetHash: String?

        struct LargeFile: Decodable {
            let oid: String
            let size: UInt64
        }
    }

    /// Lists a commit, page by page.
    init(of commit: String, from client: HubClient, on connection: HTTPConnection) throws(HubError) {
        var records: [String: Record] = [:]
        var next: WebAddress? = try client.address(
            "/api/models/\(client.id.repository)/tree/\(commit)?recursive=true&expand=false")
        while let address = next {
            let (head, bytes) = try client.document(address, on: connection)
            let page: [Page]
            do {
                page = try JSONDecoder().decode([Page].self, from: Data(bytes))
            } catch {
                throw HubError(.contradiction, "\(address.host) lists \(client.id.repository) in a form not known here")
            }
            for entry in page where entry.type == "file" {
                guard let size = entry.size, let oid = entry.oid else {
                    throw HubError(.contradiction, "\(address.host) lists a file without its size or checksum")
                }
                records[entry.path] = Record(
                    size: size, blobID: oid, largeDigest: entry.lfs?.oid, largeSize: entry.lfs?.size,
                    xetHash: entry.xetHash)
            }
            guard records.count <= Self.filesMax else {
                throw HubError(.contradiction, "\(client.id.repository) has more than \(Self.filesMax) files")
            }
            next = try head["link"].flatMap(Self.nextLink).map { (link) throws(HubError) in
                // Another host could only be meant to lead astray.
                guard let next = WebAddress(link, relativeTo: address), next.origin == address.origin else {
                    throw HubError(.contradiction, "\(address.host) continues its listing elsewhere")
                }
                return next
            }
        }
        guard let files = Self.files(records) else {
            throw HubError(
                .contradiction, "\(client.settings.endpoint) lists a file with an impossible name or checksum")
        }
        self.files = files
        self.records = records
    }

    /// The address in `<…>; rel="next"`.
    static func nextLink(_ field: String) -> String? {
        for link in field.split(separator: ",") where link.contains("rel=\"next\"") {
            guard let begin = link.firstIndex(of: "<"), let end = link.firstIndex(of: ">"), begin < end else {
                continue
            }
            return String(link[link.index(after: begin)..<end])
        }
        return nil
    }

    // MARK: In the cache, in huggingface_hub's form

    private let records: [String: Record]

    private struct Stored: Codable {
        let formatVersion: Int
        let files: [String: Record]

        private enum CodingKeys: String, CodingKey {
            case formatVersion = "format_version"
            case files
        }
    }

    private struct Record: Codable {
        let size: UInt64
        let blobID: String
        let largeDigest: String?
        let largeSize: UInt64?
        let xetHash: String?

        private enum CodingKeys: String, CodingKey {
            case size
            case blobID = "blob_id"
            case largeDigest = "lfs_sha256"
            case largeSize = "lfs_size"
            case xetHash = "xet_hash"
        }
    }

    /// `nil` for what is not in a form that is known.
    init?(stored: [UInt8]) {
        guard let stored = try? JSONDecoder().decode(Stored.self, from: Data(stored)),
            stored.formatVersion == Self.formatVersion, let files = Self.files(stored.files)
        else { return nil }
        self.files = files
        records = stored.files
    }

    func stored() throws(HubError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(Stored(formatVersion: Self.formatVersion, files: records)))
        } catch {
            throw HubError(.contradiction, "a listing cannot be kept: \(error)")
        }
    }

    /// `nil` where a name leads elsewhere or a checksum is none: both become names of files here.
    private static func files(_ records: [String: Record]) -> [String: HubFile]? {
        var files: [String: HubFile] = [:]
        for (name, record) in records {
            let digest = record.largeDigest ?? record.blobID
            guard isPlain(name), Digest(digest) != nil, (record.largeSize ?? record.size) <= 1 << 44 else { return nil }
            files[name] = HubFile(name: name, size: record.largeSize ?? record.size, digest: digest)
        }
        return files
    }

    private static func isPlain(_ name: String) -> Bool {
        name.utf8.count <= 1024 && !name.utf8.contains(0)
            && name.split(separator: "/", omittingEmptySubsequences: false)
                .allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
    }
}
