// What every daemon does alike: its log, its signals, its end.

public import Logging
public import ServiceLifecycle
import UnixSignals

public enum Daemon {
    /// Seconds for requests under way to end after a signal, before they are ended.
    public static let drainSeconds = 30

    /// A logger that writes lines to standard error.
    public static func logger(_ label: String, level: Logger.Level) -> Logger {
        LoggingSystem.bootstrap(StreamLogHandler.standardError(label:))
        var logger = Logger(label: label)
        logger.logLevel = level
        return logger
    }

    /// Runs services until one fails or a signal asks for an end.
    /// - Throws: what the service that failed threw.
    public static func run(_ services: any Service..., logger: Logger) async throws {
        // The group narrates its own work in notices and below; people want the services'.
        var groupLogger = logger
        groupLogger.logLevel = max(logger.logLevel, .critical)
        var configuration = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: groupLogger)
        configuration.maximumGracefulShutdownDuration = .seconds(Int64(drainSeconds) + 5)
        try await ServiceGroup(configuration: configuration).run()
    }
}
