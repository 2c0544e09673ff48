// Asks the hub: redirects, the token for the hub alone, patience, and what each refusal means.

internal import Glibc

/// How to reach the hub for one repository. A value; connections belong to those who use it.
struct HubClient: Sendable {
    let id: HubID
    let settings: HubSettings
    let isInterrupted: @Sendable () -> Bool

    static let redirectsMax = 5
    /// The hub gives listings in pages of some hundred kilobytes.
    static let documentBytesMax = 64 << 20

    func connection() throws(HubError) -> HTTPConnection {
        try HTTPConnection(settings, isInterrupted: isInterrupted)
    }

    func address(_ path: String) throws(HubError) -> WebAddress {
        guard let address = WebAddress(settings.endpoint + path) else {
            throw HubError(.setting, "HF_ENDPOINT is '\(settings.endpoint.printable)', which is not a web address")
        }
        return address
    }

    /// The contents of a file of the repository.
    func fileAddress(_ name: String, commit: String) throws(HubError) -> WebAddress {
        try address("/\(id.repository)/resolve/\(commit)/\(name.percentEncoded(keeping: "/"))")
    }

    /// What an exchange ended with.
    struct Answer {
        var head: HTTPHead
        /// What the hub itself said of the file, before it redirected.
        var hubHead: HTTPHead
        /// Where the contents came from.
        var address: WebAddress
    }

    /// Asks once, and follows redirects. The token goes to the endpoint's own host and nowhere else.
    /// - Parameters:
    ///   - fields: header lines.
    ///   - receive: takes the contents of a success as they arrive; `false` when no more are wanted.
    /// - Throws: for every answer other than success, among others.
    func get(
        _ address: WebAddress, fields: [String] = [], on connection: HTTPConnection,
        receive: (Answer, UnsafeRawBufferPointer) throws(HTTPFailure) -> Bool
    ) throws(HTTPFailure) -> Answer {
        var here = address
        var hubHead: HTTPHead?
        for _ in 0...Self.redirectsMax {
            var fields = fields
            if let token = settings.token, settings.trusts(here) { fields.append("Authorization: Bearer \(token)") }
            let (before, place) = (hubHead, here)
            let head = try connection.get(here.description, fields: fields) { (head, bytes) throws(HTTPFailure) in
                // What a refusal says in its contents is for people with a browser.
                guard 200..<300 ~= head.status else { return false }
                return try receive(Answer(head: head, hubHead: before ?? head, address: place), bytes)
            }
            if hubHead == nil || head["x-linked-etag"] != nil { hubHead = head }
            guard 300..<400 ~= head.status, let location = head["location"] else {
                guard 200..<300 ~= head.status else { throw refusal(head, at: here) }
                return Answer(head: head, hubHead: hubHead ?? head, address: here)
            }
            guard let next = WebAddress(location, relativeTo: here) else {
                throw .hopeless(HubError(.contradiction, "\(here.host) redirects to '\(location.printable)'"))
            }
            guard next.isEncrypted || !here.isEncrypted else {
                throw .hopeless(
                    HubError(.contradiction, "\(here.host) redirects to \(next.host) without encryption, so this stops")
                )
            }
            here = next
        }
        throw .hopeless(
            HubError(.contradiction, "\(address.host) redirects more than \(Self.redirectsMax) times"))
    }

    /// A document of the hub's interface, with as much patience as needed.
    func document(_ address: WebAddress, on connection: HTTPConnection) throws(HubError) -> (HTTPHead, [UInt8]) {
        var patience = Patience(self)
        while true {
            do {
                var bytes: [UInt8] = []
                let answer = try get(address, fields: ["Accept: application/json"], on: connection) {
                    (_, piece) throws(HTTPFailure) in
                    bytes += piece
                    guard bytes.count <= Self.documentBytesMax else {
                        throw .hopeless(HubError(.contradiction, "\(address.host) sends an endless listing"))
                    }
                    return true
                }
                return (answer.head, bytes)
            } catch {
                try patience.wait(after: error)
            }
        }
    }

    // MARK: Refusals

    /// What an answer that is no success means.
    private func refusal(_ head: HTTPHead, at address: WebAddress) -> HTTPFailure {
        switch head.status {
        case 408, 425, 429, 500...599:
            return .busy(status: head.status, retryAfter: head["retry-after"].flatMap(Double.init))
        case 400..<500 where !settings.trusts(address):
            // Addresses with a signature are good for a while.
            return .expired
        default: return .hopeless(meaning(of: head))
        }
    }

    private func meaning(of head: HTTPHead) -> HubError {
        let page = "\(settings.endpoint)/\(id.repository)"
        let code = head["x-error-code"]
        let message = head["x-error-message"]
        let token = settings.token == nil ? "set HF_TOKEN" : "use another token than that in \(settings.tokenPlace)"
        switch (head.status, code) {
        case (_, "GatedRepo"):
            return HubError(
                .refused,
                settings.token == nil
                    ? "\(id.repository) is gated: accept its terms at \(page), and set HF_TOKEN to a token of that account"
                    : "\(id.repository) is gated, and the account of the token in \(settings.tokenPlace) has no access: "
                        + "accept its terms at \(page), or \(token)")
        case (_, "RevisionNotFound"):
            return HubError(
                .absent, "\(id.repository) has no revision '\(id.revision)'; \(page)/tree/main shows those it has")
        case (_, "EntryNotFound"):
            return HubError(.absent, "\(id.repository) has lost a file while it was downloaded; start again")
        case (401, _) where settings.token != nil && code != "RepoNotFound":
            return HubError(
                .refused,
                "\(settings.endpoint) does not accept the token in \(settings.tokenPlace): "
                    + "set HF_TOKEN to one that is valid, or take it away for public models")
        case (401, _), (404, _):
            return HubError(
                .absent,
                "\(id.repository) is neither a directory here nor a model on \(settings.endpoint) that can be seen: "
                    + "check the name; if it is private or gated, \(token)")
        case (403, _), (451, _):
            return HubError(
                .refused,
                "\(settings.endpoint) refuses \(id.repository): \((message ?? "status \(head.status)").printable)")
        default:
            return HubError(
                .contradiction,
                "\(settings.endpoint) answers with status \(head.status)\(message.map { ": \($0.printable)" } ?? "")")
        }
    }
}

/// How often something is tried again, and after which waits.
struct Patience {
    private let client: HubClient
    private var failures = 0

    /// With waits that double from half a second, the hub has some fifteen seconds to recover.
    private static let attemptsMax = 6
    private static let firstWaitSeconds = 0.5
    /// A server that asks for more than this is not waited for.
    private static let retryAfterMax = 120.0

    init(_ client: HubClient) { self.client = client }

    /// Something arrived, so the failure before is forgiven.
    mutating func restore() { failures = 0 }

    /// Returns when it is time for another attempt.
    /// - Throws: when there is to be none.
    mutating func wait(after failure: HTTPFailure) throws(HubError) {
        failures += 1
        let place = client.settings.endpoint
        var seconds = Self.firstWaitSeconds * Double(1 << min(failures - 1, 10))
        switch failure {
        case .interrupted: throw HubError(.interrupted, "stopped")
        case .hopeless(let error): throw error
        case .expired:
            guard failures < Self.attemptsMax else {
                throw HubError(.refused, "\(place) gives addresses that its own storage refuses; try again later")
            }
            seconds = 0
        case .broken(let reason):
            guard failures < Self.attemptsMax else {
                throw HubError(
                    .unreachable,
                    "\(place) cannot be reached: \(reason); check the network, and start again to go on from here")
            }
        case .busy(let status, let retryAfter):
            let what = status == 429 ? "asks for fewer requests (status 429)" : "fails (status \(status))"
            if let retryAfter, retryAfter > Self.retryAfterMax {
                throw HubError(
                    .unreachable, "\(place) \(what); start again in \(Int(min(retryAfter, 1e9).rounded(.up))) seconds")
            }
            guard failures < Self.attemptsMax else {
                throw HubError(.unreachable, "\(place) \(what) again and again; start again later to go on from here")
            }
            seconds = max(seconds, retryAfter ?? 0)
        }
        try pause(seconds)
    }

    private func pause(_ seconds: Double) throws(HubError) {
        // Short naps, so that an interruption is seen soon.
        let nap = 0.05
        var left = seconds
        while left > 0 {
            guard !client.isInterrupted() else { throw HubError(.interrupted, "stopped") }
            usleep(UInt32(min(left, nap) * 1e6))
            left -= nap
        }
    }
}

extension WebAddress {
    /// Without path and query, which may hold a signature.
    var host: String { origin }
}

extension String {
    /// With every byte but letters, digits and `-._~` written as `%XX`.
    func percentEncoded(keeping kept: String = "") -> String {
        var result = ""
        for byte in utf8 {
            let scalar = Unicode.Scalar(byte)
            let isPlain =
                byte < 0x80
                && (scalar.properties.isAlphabetic || (0x30...0x39).contains(byte)
                    || "-._~\(kept)".unicodeScalars.contains(scalar))
            if isPlain {
                result.unicodeScalars.append(scalar)
            } else {
                result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }
}
