// One request at a time over libcurl, which keeps the connection for the next.

internal import CCurl
internal import Glibc

/// What a server says before the contents.
struct HTTPHead: Sendable {
    var status = 0
    /// Names in lower case.
    var fields: [String: String] = [:]

    subscript(name: String) -> String? { fields[name] }

    /// An entity tag without quotes and the mark of weakness.
    func tag(_ name: String) -> String? {
        guard var text = fields[name]?[...] else { return nil }
        if text.hasPrefix("W/") { text = text.dropFirst(2) }
        return String(text.filter { $0 != "\"" })
    }
}

/// Why an exchange came to nothing.
enum HTTPFailure: Error {
    case interrupted
    /// The network failed; another attempt may not.
    case broken(String)
    /// Another attempt will fail as well.
    case hopeless(HubError)
    /// The server asks to come back, perhaps after some seconds.
    case busy(status: Int, retryAfter: Double?)
    /// An address that was good for a while is no longer.
    case expired
}

/// A connection, or several to several hosts. Used by one thread at a time; transfers end when they stall.
final class HTTPConnection {
    private let handle: UnsafeMutableRawPointer
    private let isInterrupted: @Sendable () -> Bool

    /// A server that sends less than this a second, for as long as it may be silent, is as good as silent.
    private static let bytesPerSecondMin = 256
    private static let redirectBytesMax = 1 << 20
    private static let headBytesMax = 256 << 10
    private static let isReady = ccurl_global_init() == CURLE_OK

    init(_ settings: HubSettings, isInterrupted: @escaping @Sendable () -> Bool) throws(HubError) {
        guard Self.isReady, let handle = curl_easy_init() else {
            throw HubError(.setting, "libcurl cannot be set up")
        }
        self.handle = handle
        self.isInterrupted = isInterrupted
        ccurl_allow_http_only(handle)
        // Signals are for the program; without this, libcurl would use one for name resolution's time limit.
        ccurl_set_long(handle, CURLOPT_NOSIGNAL, 1)
        ccurl_set_long(handle, CURLOPT_CONNECTTIMEOUT, settings.stallSeconds)
        ccurl_set_long(handle, CURLOPT_LOW_SPEED_LIMIT, Self.bytesPerSecondMin)
        ccurl_set_long(handle, CURLOPT_LOW_SPEED_TIME, settings.stallSeconds)
        ccurl_set_long(handle, CURLOPT_NOPROGRESS, 0)
        ccurl_set_long(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        ccurl_set_long(handle, CURLOPT_BUFFERSIZE, 512 << 10)
        if let certificates = settings.certificates { ccurl_set_string(handle, CURLOPT_CAINFO, certificates) }
        ccurl_set_string(handle, CURLOPT_USERAGENT, "ring")
    }

    deinit { curl_easy_cleanup(handle) }

    /// Asks for an address, once.
    /// - Parameters:
    ///   - fields: header lines.
    ///   - receive: takes the contents as they arrive; `false` when no more are wanted. Not called for redirects.
    func get(
        _ url: String, fields: [String], receive: (HTTPHead, UnsafeRawBufferPointer) throws(HTTPFailure) -> Bool
    ) throws(HTTPFailure) -> HTTPHead {
        var list: UnsafeMutablePointer<curl_slist>?
        for field in fields { list = curl_slist_append(list, field) }
        defer { curl_slist_free_all(list) }
        var message = [CChar](repeating: 0, count: Int(CURL_ERROR_SIZE))
        let (code, exchange) = withoutActuallyEscaping(receive) { receive in
            let exchange = Exchange(receive: receive, isInterrupted: isInterrupted)
            let code = message.withUnsafeMutableBufferPointer { message in
                let context = Unmanaged.passUnretained(exchange).toOpaque()
                ccurl_set_pointer(handle, CURLOPT_ERRORBUFFER, message.baseAddress)
                ccurl_set_string(handle, CURLOPT_URL, url)
                ccurl_set_headers(handle, list)
                ccurl_set_pointer(handle, CURLOPT_HEADERDATA, context)
                ccurl_set_pointer(handle, CURLOPT_WRITEDATA, context)
                ccurl_set_pointer(handle, CURLOPT_XFERINFODATA, context)
                ccurl_set_data_function(handle, CURLOPT_HEADERFUNCTION) { data, size, count, context in
                    Exchange.from(context)?.takeLine(UnsafeRawBufferPointer(start: data, count: size * count)) ?? 0
                }
                ccurl_set_data_function(handle, CURLOPT_WRITEFUNCTION) { data, size, count, context in
                    Exchange.from(context)?.takeContents(UnsafeRawBufferPointer(start: data, count: size * count)) ?? 0
                }
                ccurl_set_progress_function(handle) { context, _, _, _, _ in
                    Exchange.from(context)?.isInterrupted() == true ? 1 : 0
                }
                let code = curl_easy_perform(handle)
                ccurl_set_pointer(handle, CURLOPT_ERRORBUFFER, nil)
                ccurl_set_headers(handle, nil)
                return code
            }
            exchange.forget()
            return (code, exchange)
        }
        if let failure = exchange.failure { throw failure }
        if exchange.hasEnough || code == CURLE_OK { return exchange.head }
        if isInterrupted() { throw .interrupted }
        let text = message[0] == 0 ? String(cString: curl_easy_strerror(code)) : message.text
        throw Self.failure(code, text)
    }

    private static func failure(_ code: CURLcode, _ text: String) -> HTTPFailure {
        switch code {
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CIPHER, CURLE_SSL_CERTPROBLEM:
            .hopeless(
                HubError(
                    .unreachable,
                    "the server's certificate cannot be trusted: \(text.printable); "
                        + "install ca-certificates, or name a file of certificates in SSL_CERT_FILE"))
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT, CURLE_OUT_OF_MEMORY, CURLE_FAILED_INIT:
            .hopeless(HubError(.unreachable, text.printable))
        default: .broken(text.printable)
        }
    }

    /// What libcurl calls back into.
    private final class Exchange {
        var head = HTTPHead()
        var failure: HTTPFailure?
        var hasEnough = false
        let isInterrupted: @Sendable () -> Bool
        private var receive: ((HTTPHead, UnsafeRawBufferPointer) throws(HTTPFailure) -> Bool)?
        private var headBytes = 0
        private var ignoredBytes = 0

        init(
            receive: @escaping (HTTPHead, UnsafeRawBufferPointer) throws(HTTPFailure) -> Bool,
            isInterrupted: @escaping @Sendable () -> Bool
        ) {
            self.receive = receive
            self.isInterrupted = isInterrupted
        }

        static func from(_ context: UnsafeMutableRawPointer?) -> Exchange? {
            context.map { Unmanaged<Exchange>.fromOpaque($0).takeUnretainedValue() }
        }

        func forget() { receive = nil }

        func takeLine(_ bytes: UnsafeRawBufferPointer) -> Int {
            headBytes += bytes.count
            guard headBytes <= HTTPConnection.headBytesMax else {
                failure = .hopeless(HubError(.contradiction, "the server's answer begins with an endless head"))
                return 0
            }
            let line = String(decoding: bytes, as: UTF8.self).trimmingEnd()
            if line.hasPrefix("HTTP/") {
                // A new answer: what came before was a notice that one is to come.
                head = HTTPHead()
                head.status = line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            } else if let colon = line.firstIndex(of: ":") {
                let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
                head.fields[line[..<colon].lowercased()] = String(value)
            }
            return bytes.count
        }

        func takeContents(_ bytes: UnsafeRawBufferPointer) -> Int {
            guard !isInterrupted() else {
                failure = .interrupted
                return 0
            }
            if 300..<400 ~= head.status {
                ignoredBytes += bytes.count
                return ignoredBytes <= HTTPConnection.redirectBytesMax ? bytes.count : 0
            }
            do {
                guard let receive, try receive(head, bytes) else {
                    hasEnough = true
                    return 0
                }
            } catch {
                failure = error
                return 0
            }
            // A count that differs ends the transfer, and an empty piece has no other.
            return bytes.count
        }
    }
}

extension String {
    fileprivate func trimmingEnd() -> String {
        var text = self[...]
        while let last = text.unicodeScalars.last, last == "\r" || last == "\n" || last == " " || last == "\t" {
            text.unicodeScalars.removeLast()
        }
        return String(text)
    }
}

extension [CChar] {
    fileprivate var text: String { String(decoding: prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) }
}
