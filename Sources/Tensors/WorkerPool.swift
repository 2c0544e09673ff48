// The threads that share the work of a kernel.

internal import CKernels

/// Threads that compute together; the caller of a kernel is one of them. One caller at a time.
public final class WorkerPool {
    /// More than any one machine's cores that would share a memory bus with profit.
    public static let threadsMax = Int(CK_POOL_THREADS_MAX)

    public let threads: Int
    let pool: OpaquePointer

    /// - Throws: when `threads` is not in 1…``threadsMax`` or the system does not start them.
    public init(threads: Int) throws(WorkerPoolError) {
        guard 1...Self.threadsMax ~= threads else { throw .threadsOutOfRange(threads) }
        guard let pool = ck_pool_create(UInt32(threads)) else { throw .threadsNotStarted(threads) }
        self.threads = threads
        self.pool = pool
    }

    deinit {
        ck_pool_destroy(pool)
    }

    /// Wakes the threads that sleep, because there will be work in some microseconds.
    public func rouse() {
        ck_pool_rouse(pool)
    }

    /// Runs `body` for each item of `0 ..< items`, on any thread and in any order, and returns when all are done.
    func run(items: Int, _ body: (Int) -> Void) {
        withoutActuallyEscaping(body) { body in
            withUnsafePointer(to: body) { context in
                ck_pool_run(
                    pool, items,
                    { context, item in
                        context?.assumingMemoryBound(to: ((Int) -> Void).self).pointee(item)
                    }, UnsafeMutableRawPointer(mutating: context))
            }
        }
    }
}

public enum WorkerPoolError: Error, Equatable, CustomStringConvertible {
    case threadsOutOfRange(Int)
    case threadsNotStarted(Int)

    public var description: String {
        switch self {
        case .threadsOutOfRange(let threads):
            "\(threads) threads cannot be used; choose 1 to \(WorkerPool.threadsMax)"
        case .threadsNotStarted(let threads):
            "the system does not start \(threads) threads; choose fewer"
        }
    }
}
