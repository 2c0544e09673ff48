// What a route knows of the connection its request came by.

import Hummingbird
import Logging
import NIOCore

struct APIRequestContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The client's connection; `nil` in tests without a socket.
    let channel: (any Channel)?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }

    init(logger: Logger) {
        coreContext = .init(source: ContextSource(logger: logger))
        channel = nil
    }

    private struct ContextSource: RequestContextSource {
        let logger: Logger
    }
}
