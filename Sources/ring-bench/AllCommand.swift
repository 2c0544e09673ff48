// Every row of the table in one run.

import ArgumentParser

struct AllCommand: BenchJob {
    static let configuration = CommandConfiguration(
        commandName: "all", abstract: "Every row of the table, with what each job measures by default.")

    @OptionGroup var options: BenchOptions

    /// In the order of the table. A new job is added here and to the program's subcommands.
    private static let jobs: [any BenchJob.Type] = [
        BandwidthCommand.self, DecodeCommand.self, PrefillCommand.self, StartupCommand.self,
    ]

    func measure(into report: BenchReport) async throws {
        for job in Self.jobs {
            // A job as it is from a command line with no flags but those that all share.
            guard let command = try job.parseAsRoot(options.arguments) as? any BenchJob else {
                throw BenchError("\(job) cannot be set up")
            }
            try await command.measure(into: report)
        }
    }
}
