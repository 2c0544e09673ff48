// Fetches one range of one file, again from where it broke off.

/// A range of a file on its way into a ``PartialFile``.
struct RangeFetcher {
    private let client: HubClient
    private let job: FileJob
    private let commit: String
    private let progress: DownloadProgress

    /// With so much arrived since the last failure, the network is alive.
    private static let sustainingBytes: UInt64 = 64 << 10

    init(_ client: HubClient, _ job: FileJob, commit: String, progress: DownloadProgress) {
        self.client = client
        self.job = job
        self.commit = commit
        self.progress = progress
    }

    /// Returns when the range is there and recorded.
    /// - Returns: `false` when the server gives no ranges and another connection reads the whole file.
    /// - Throws: when patience is at its end; what has arrived is recorded.
    func fetch(_ range: Range<UInt64>, on connection: HTTPConnection) throws(HubError) -> Bool {
        var patience = Patience(client)
        var next = range.lowerBound
        progress.show(job.file.name)
        while true {
            var arrival = Arrival(next: next)
            let failure = attempt(next..<range.upperBound, &arrival, on: connection)
            if arrival.isStream { job.endStream() }
            if arrival.isTurnedAway { return false }
            if arrival.next > arrival.begin {
                // A stream's range may have been there before: adding it again changes nothing.
                do {
                    try job.partial.add(RangeSet(arrival.begin..<arrival.next))
                } catch {
                    // Where claims are not known, another process may have come to the end of the file meanwhile.
                    guard error.kind == .damaged, job.hasBlob else { throw error }
                    return true
                }
                if arrival.next - arrival.begin >= Self.sustainingBytes { patience.restore() }
            }
            if arrival.begin <= next { next = max(next, arrival.next) }
            guard next < range.upperBound else { return true }
            try patience.wait(after: failure ?? .broken("the connection ended before everything was sent"))
        }
    }

    /// What an attempt brings.
    private struct Arrival {
        /// Where the contents of this answer begin, and how far they have come.
        var begin: UInt64
        var next: UInt64
        /// The whole file is sent, whatever was asked for.
        var isStream = false
        var isTurnedAway = false

        init(next: UInt64) {
            begin = next
            self.next = next
        }
    }

    private func attempt(
        _ range: Range<UInt64>, _ arrival: inout Arrival, on connection: HTTPConnection
    ) -> HTTPFailure? {
        let known = job.location
        var isChecked = false
        var received = arrival
        defer { arrival = received }
        do throws(HTTPFailure) {
            let address = if let known { known } else { try fileAddress() }
            _ = try client.get(
                address,
                fields: ["Range: bytes=\(range.lowerBound)-\(range.upperBound - 1)", "Accept-Encoding: identity"],
                on: connection
            ) { (answer, bytes) throws(HTTPFailure) in
                if !isChecked {
                    isChecked = true
                    try check(answer)
                    if try isWholeFile(answer.head, range) {
                        guard job.beginStream(by: connection) else {
                            received.isTurnedAway = true
                            return false
                        }
                        received.isStream = true
                        received.begin = 0
                        received.next = 0
                    }
                    if known == nil, answer.address != address { job.location = answer.address }
                }
                let end = received.isStream ? job.file.size : range.upperBound
                guard UInt64(bytes.count) <= end - received.next else {
                    throw .hopeless(contradiction("more bytes than it has"))
                }
                try write(bytes, at: received.next)
                received.next += UInt64(bytes.count)
                progress.add(UInt64(bytes.count))
                return true
            }
            return nil
        } catch {
            // Whatever went wrong there, the hub knows a place that works.
            job.location = nil
            return error
        }
    }

    private func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(HTTPFailure) {
        do {
            try job.partial.write(bytes, at: offset)
        } catch {
            throw .hopeless(error)
        }
    }

    private func fileAddress() throws(HTTPFailure) -> WebAddress {
        do {
            return try client.fileAddress(job.file.name, commit: commit)
        } catch {
            throw .hopeless(error)
        }
    }

    /// Whether a server that was asked for a range sends the whole file instead.
    /// - Throws: when it sends something else.
    private func isWholeFile(_ head: HTTPHead, _ range: Range<UInt64>) throws(HTTPFailure) -> Bool {
        let size = job.file.size
        if head.status == 206 {
            let stated = head["content-range"] ?? ""
            guard stated.hasPrefix("bytes \(range.lowerBound)-"), stated.hasSuffix("/\(size)") else {
                throw .hopeless(contradiction("the range '\(stated.printable)' in place of \(range) of \(size) bytes"))
            }
            return false
        }
        guard head.status == 200 else { throw .hopeless(contradiction("status \(head.status)")) }
        if let stated = head["content-length"].flatMap(UInt64.init), stated != size, head["content-encoding"] == nil {
            throw .hopeless(contradiction("\(stated) bytes in place of \(size)"))
        }
        guard head["content-encoding"] == nil else { throw .hopeless(contradiction("compressed contents")) }
        return true
    }

    /// What is sent must be of the file that the listing named, after a break as before it.
    private func check(_ answer: HubClient.Answer) throws(HTTPFailure) {
        let head = answer.hubHead
        if let named = head["x-repo-commit"], named != commit {
            throw .hopeless(contradiction("commit \(named.printable) in place of \(commit)"))
        }
        // The hub tags contents with their checksum. Storage behind it may have tags of its own.
        let digest = job.file.digest
        for tag in [head.tag("x-linked-etag"), answer.head.tag("etag")] {
            guard let tag, tag.utf8.count == digest.utf8.count, Digest(tag) != nil, tag != digest else { continue }
            throw .hopeless(contradiction("the checksum \(tag) in place of \(digest)"))
        }
        if let size = head["x-linked-size"].flatMap(UInt64.init), size != job.file.size {
            throw .hopeless(contradiction("\(size) bytes in place of \(job.file.size)"))
        }
    }

    private func contradiction(_ what: String) -> HubError {
        HubError(
            .contradiction,
            "\(client.settings.endpoint) sends \(what) for \(job.file.name) of \(client.id.repository), "
                + "unlike its listing; start again later")
    }
}
