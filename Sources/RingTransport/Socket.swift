// System calls on sockets.

import Glibc

enum Socket {
    static func close(_ descriptor: Int32) {
        _ = Glibc.close(descriptor)
    }
}
