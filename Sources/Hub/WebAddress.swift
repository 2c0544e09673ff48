// Addresses on the web, taken apart by libcurl.

internal import CCurl

/// An http or https address.
struct WebAddress: Hashable, Sendable, CustomStringConvertible {
    let description: String
    /// Scheme, host and port: whom one talks to.
    let origin: String
    let isEncrypted: Bool

    /// - Parameter base: what `text` may be relative to, as in a redirect.
    init?(_ text: String, relativeTo base: WebAddress? = nil) {
        guard let parts = curl_url() else { return nil }
        defer { curl_url_cleanup(parts) }
        if let base, curl_url_set(parts, CURLUPART_URL, base.description, 0) != CURLUE_OK { return nil }
        guard curl_url_set(parts, CURLUPART_URL, text, 0) == CURLUE_OK else { return nil }
        func part(_ name: CURLUPart, _ flags: UInt32 = 0) -> String? {
            var text: UnsafeMutablePointer<CChar>?
            guard curl_url_get(parts, name, &text, flags) == CURLUE_OK, let text else { return nil }
            defer { curl_free(text) }
            return String(cString: text)
        }
        guard let scheme = part(CURLUPART_SCHEME), scheme == "https" || scheme == "http",
            let host = part(CURLUPART_HOST), let port = part(CURLUPART_PORT, UInt32(CURLU_DEFAULT_PORT)),
            let whole = part(CURLUPART_URL)
        else { return nil }
        description = whole
        origin = "\(scheme)://\(host.lowercased()):\(port)"
        isEncrypted = scheme == "https"
    }
}
