// What the environment says about the hub, in the variables of Hugging Face's own tools.

internal import Glibc

/// Where models come from and where they are kept.
public struct HubSettings: Sendable {
    /// Address of the hub, without a slash at its end.
    var endpoint: String
    /// Shown to the endpoint alone.
    var token: String?
    /// Where the token came from, for errors.
    var tokenPlace: String
    /// The directory of cached repositories.
    var cache: String
    /// Nothing is downloaded.
    var isOffline: Bool
    /// How long a server may send nothing.
    var stallSeconds: Int
    /// A file of certificates to trust in place of the system's.
    var certificates: String?

    static let endpointStandard = "https://huggingface.co"
    /// As in huggingface_hub.
    private static let stallSecondsStandard = 10
    /// A token has some 40 characters.
    private static let tokenBytesMax = 4096

    /// - Parameter environment: the process's own when left out.
    /// - Throws: when a variable holds what cannot be right.
    public init(environment: [String: String]? = nil) throws(HubError) {
        func value(_ names: String...) -> String? {
            for name in names {
                let value = environment.map { $0[name] } ?? getenv(name).map { String(cString: $0) }
                if let value, !value.isEmpty { return value }
            }
            return nil
        }
        func isTrue(_ name: String) -> Bool {
            ["1", "ON", "YES", "TRUE"].contains(value(name)?.uppercased() ?? "")
        }
        func path(_ names: String...) -> String? {
            for name in names {
                guard let text = value(name) else { continue }
                guard text == "~" || text.hasPrefix("~/") else { return text }
                return (value("HOME") ?? "") + text.dropFirst()
            }
            return nil
        }
        let caches = path("XDG_CACHE_HOME") ?? (value("HOME") ?? "") + "/.cache"
        let home = path("HF_HOME") ?? caches + "/huggingface"
        cache = path("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") ?? home + "/hub"
        guard cache.hasPrefix("/") || value("HOME") != nil || path("HF_HUB_CACHE", "HF_HOME") != nil else {
            throw HubError(.setting, "HOME is not set, so there is no place for downloads; set HF_HOME to a directory")
        }
        var endpoint = value("HF_ENDPOINT") ?? Self.endpointStandard
        while endpoint.hasSuffix("/") { endpoint.removeLast() }
        guard endpoint.hasPrefix("https://") || endpoint.hasPrefix("http://") else {
            throw HubError(
                .setting, "HF_ENDPOINT is '\(endpoint.printable)', which is no address that begins with https://")
        }
        self.endpoint = endpoint
        let tokenFile = path("HF_TOKEN_PATH") ?? home + "/token"
        tokenPlace = value("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN") != nil ? "HF_TOKEN" : tokenFile
        let token =
            value("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
            ?? (try? SmallFile.read(tokenFile, bytesMax: Self.tokenBytesMax)).map {
                String(decoding: $0, as: UTF8.self)
            }
        let bare = token?.filter { !$0.isWhitespace } ?? ""
        guard bare.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
            throw HubError(.setting, "the token in \(tokenPlace) has characters that no token has")
        }
        self.token = bare.isEmpty ? nil : bare
        isOffline = isTrue("HF_HUB_OFFLINE") || isTrue("TRANSFORMERS_OFFLINE")
        stallSeconds = Self.stallSecondsStandard
        if let text = value("HF_HUB_DOWNLOAD_TIMEOUT") {
            guard let seconds = Int(text), 1...3600 ~= seconds else {
                throw HubError(.setting, "HF_HUB_DOWNLOAD_TIMEOUT is '\(text.printable)'; it takes 1 to 3600 seconds")
            }
            stallSeconds = seconds
        }
        certificates = path("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    }

    /// Whether the token may be shown to a server.
    func trusts(_ url: WebAddress) -> Bool { WebAddress(endpoint)?.origin == url.origin }
}
