// Every row of the table in one run.

import ArgumentParser

struct AllCommand: BenchJob {
    static let configuration = CommandConfiguration(
        commandName: "all", abstract: "Every row of the table, with what each job measures by default.",
        discussion: "A job that cannot be measured is named at the end, after all others.")

    @OptionGroup var options: BenchOptions

    @Option(help: ArgumentHelp("Jobs to leave out, by their names.", valueName: "job"))
    var without: [String] = []

    /// Every job there is, in the order of the program's subcommands.
    private static var jobs: [any BenchJob.Type] {
        RingBenchCommand.configuration.subcommands.compactMap { $0 as? any BenchJob.Type }.filter { $0 != Self.self }
    }

    func validate() throws {
        let names = Self.jobs.map(Self.name)
        for name in without where !names.contains(name) {
            throw ValidationError("--without takes one of \(names.joined(separator: ", ")), not '\(name)'")
        }
    }

    func measure(into report: BenchReport) async throws {
        let begun = ContinuousClock.now
        let jobs = Self.jobs.filter { !without.contains(Self.name($0)) }
        var failures: [String] = []
        for (index, job) in jobs.enumerated() {
            let minutes = begun.duration(to: .now).seconds / 60
            BenchReport.progress(
                "\(Self.name(job)): job \(index + 1) of \(jobs.count), after \(BenchTable.figure(minutes)) minutes")
            do {
                // A job as it is from a command line with no flags but those that all share.
                guard let command = try job.parseAsRoot(options.arguments) as? any BenchJob else {
                    throw BenchError("it cannot be set up")
                }
                try await command.measure(into: report)
            } catch {
                failures.append("\(Self.name(job)): \(error)")
                BenchReport.progress(failures[failures.count - 1])
            }
        }
        report.failures = failures
    }

    private static func name(_ job: any BenchJob.Type) -> String { job.configuration.commandName ?? "\(job)" }
}
