// The cache's directories, as huggingface_hub lays them out.

/// One repository's place in the cache: `blobs` by checksum, `snapshots` of links into them, `refs` from branches to
/// commits, `trees` with listings, `.no_exist` with what is known to be absent; and `ring`, our own, for what has
/// arrived in part.
struct HubCache: Sendable {
    let folder: String

    private static let refBytesMax = 4096
    private static let commitDigits = 40

    init(_ root: String, repository: String) {
        folder = "\(root)/models--\(repository.split(separator: "/").joined(separator: "--"))"
    }

    static func isCommit(_ text: String) -> Bool {
        text.utf8.count == commitDigits && Digest(text) != nil
    }

    // MARK: Revisions

    /// The commit that a branch or tag was at when last asked; a commit is its own.
    func commit(of revision: String) -> String? {
        if Self.isCommit(revision) { return revision }
        guard let bytes = try? SmallFile.read("\(folder)/refs/\(revision)", bytesMax: Self.refBytesMax) else {
            return nil
        }
        let text = String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace }
        return Self.isCommit(text) ? text : nil
    }

    func remember(_ revision: String, at commit: String) throws(HubError) {
        // Other tools take a reference to a commit without a directory for damage.
        try SmallFile.makeDirectories("\(folder)/snapshots/\(commit)")
        guard revision != commit, self.commit(of: revision) != commit else { return }
        let path = "\(folder)/refs/\(revision)"
        try SmallFile.makeDirectories(path.parentDirectory)
        try SmallFile.write(Array(commit.utf8), to: path)
    }

    // MARK: Listings

    func listing(of commit: String) -> HubListing? {
        (try? SmallFile.read("\(folder)/trees/\(commit).json", bytesMax: HubClient.documentBytesMax))
            .flatMap(HubListing.init(stored:))
    }

    func remember(_ listing: HubListing, of commit: String) throws(HubError) {
        try SmallFile.makeDirectories("\(folder)/trees")
        try SmallFile.write(listing.stored(), to: "\(folder)/trees/\(commit).json")
    }

    /// Whether somebody asked the hub for a file that the commit does not have.
    func isKnownAbsent(_ name: String, at commit: String) -> Bool {
        SmallFile.size("\(folder)/.no_exist/\(commit)/\(name)") != nil
    }

    // MARK: Files

    func snapshot(_ commit: String) -> String { "\(folder)/snapshots/\(commit)" }

    /// Where a file lies whole; `nil` where it does not.
    func path(of name: String, at commit: String) -> String? {
        let path = "\(snapshot(commit))/\(name)"
        return SmallFile.size(path) == nil ? nil : path
    }

    /// Names of the files of a snapshot, outermost directory only.
    func names(at commit: String) -> Set<String> { SmallFile.names(in: snapshot(commit)) }

    func blob(_ digest: String) -> String { "\(folder)/blobs/\(digest)" }

    /// Where parts of files are kept.
    var parts: String { "\(folder)/ring" }

    /// Makes a snapshot's name for a blob that is there.
    func link(_ file: HubFile, at commit: String) throws(HubError) {
        let path = "\(snapshot(commit))/\(file.name)"
        try SmallFile.makeDirectories(path.parentDirectory)
        let up = String(repeating: "../", count: 2 + file.name.split(separator: "/").count - 1)
        try SmallFile.link(path, to: "\(up)blobs/\(file.digest)")
    }

    /// What `link` needs once, and other tools expect.
    func prepare() throws(HubError) {
        for directory in ["blobs", "snapshots", "refs", "ring"] {
            try SmallFile.makeDirectories("\(folder)/\(directory)")
        }
    }
}

extension String {
    /// Without the last component.
    var parentDirectory: String { lastIndex(of: "/").map { String(self[..<$0]) } ?? "." }
}
