// Threads that read, so that the disk has several requests at a time.

/// Jobs of many small parts, worked on by a few threads: the parts of one job in order, one job after the other in the
/// order they came. So while the last parts of a job are under way, the first of the next one are too, and the disk is
/// never without a request between two layers.
final class ReadQueue: Sendable {
    /// Requests that are at the disk at the same time. With parts of ``FileTensorReader/partBytes`` more bring nothing:
    /// a disk of 2.7 GB/s gave as much to 4 as to 8.
    static let threads = 4

    /// Unchecked: touched only with the queue's lock held.
    private final class Job: @unchecked Sendable {
        let count: Int
        let body: @Sendable (Int) -> CheckpointError?
        var next = 0
        var finished = 0
        var failure: CheckpointError?

        init(count: Int, body: @escaping @Sendable (Int) -> CheckpointError?) {
            self.count = count
            self.body = body
        }

        /// Whether the parts that were begun are done, and no more will be.
        var isOver: Bool { finished == next && (next == count || failure != nil) }
    }

    private struct State {
        /// Jobs with parts that nobody has begun, oldest first.
        var jobs: [Job] = []
        var isClosed = false
    }

    private let monitor = Monitor(State())
    private let workers: [BackgroundThread]

    /// - Throws: when the system starts no thread.
    init() throws(CheckpointError) {
        var workers: [BackgroundThread] = []
        for _ in 0..<Self.threads {
            // The threads must not keep the queue alive, whose end stops them.
            workers.append(try BackgroundThread { [monitor] in Self.work(monitor) })
        }
        self.workers = workers
    }

    deinit {
        monitor.withLock { $0.isClosed = true }
        monitor.wakeAll()
        for worker in workers { worker.join() }
    }

    /// Calls `body` for 0 ..< `count` on the queue's threads and returns when all calls have ended. After a failure no
    /// further parts are begun.
    /// - Returns: the first failure.
    func run(_ count: Int, _ body: @escaping @Sendable (Int) -> CheckpointError?) -> CheckpointError? {
        guard count > 0 else { return nil }
        let job = Job(count: count, body: body)
        monitor.withLock { $0.jobs.append(job) }
        monitor.wakeAll()
        return monitor.wait { _ in job.isOver ? .some(job.failure) : nil }
    }

    private static func work(_ monitor: Monitor<State>) {
        while let (job, part) = monitor.wait(for: { state -> (Job, Int)?? in
            if let job = state.jobs.first {
                defer { job.next += 1 }
                if job.next + 1 == job.count { state.jobs.removeFirst() }
                return (job, job.next)
            }
            return state.isClosed ? .some(nil) : nil
        }) {
            let failure = job.body(part)
            let isOver = monitor.withLock { state in
                job.finished += 1
                if let failure, job.failure == nil {
                    job.failure = failure
                    state.jobs.removeAll { $0 === job }
                }
                return job.isOver
            }
            if isOver { monitor.wakeAll() }
        }
    }
}
