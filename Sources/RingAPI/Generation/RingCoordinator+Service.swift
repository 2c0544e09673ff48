// The coordinator's life: looking at the clock, and an orderly end.

public import ServiceLifecycle

/// As a service it keeps time. In a `ServiceGroup` it belongs after the server whose requests it runs, so that it is
/// stopped first: it then lets sequences finish, and the server's connections end with them.
extension RingCoordinator: Service {
    public func run() async throws {
        await withTaskGroup { tasks in
            tasks.addTask { await self.keepTime() }
            // A cancellation instead of a shutdown leaves no time to finish anything.
            if (try? await gracefulShutdown()) != nil { await finishSequences() }
            end("this API is shutting down; ask again when it is back")
            tasks.cancelAll()
        }
    }

    private func keepTime() async {
        let timing = configuration.timing
        while (try? await clock.sleep(for: isReady ? timing.tickReady : timing.tickWaiting)) != nil { tick() }
    }

    /// Waits until the sequences under way have ended, up to a limit.
    private func finishSequences() async {
        let (idle, continuation) = AsyncStream.makeStream(of: Void.self)
        drain { continuation.finish() }
        await withTaskGroup { tasks in
            tasks.addTask { for await _ in idle {} }
            tasks.addTask { try? await self.clock.sleep(for: self.configuration.timing.drainTimeout) }
            await tasks.next()
            tasks.cancelAll()
        }
    }
}
