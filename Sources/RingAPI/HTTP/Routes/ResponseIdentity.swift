// What every response to one request says alike.

import Foundation

struct ResponseIdentity: Sendable {
    let id: String
    let created: Int
    let model: String
    let systemFingerprint: String

    /// - Parameter prefix: `chatcmpl` or `cmpl`.
    init(prefix: String, model: ServedModel, fingerprint: String) {
        id = "\(prefix)-" + UUID().uuidString.lowercased().filter { $0 != "-" }
        created = Int(Date().timeIntervalSince1970)
        self.model = model.name
        systemFingerprint = "ring-" + fingerprint.prefix(12)
    }
}
