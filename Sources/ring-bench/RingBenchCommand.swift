// The program ring-bench: measures what a user waits for.

import ArgumentParser
import Observability

@main
struct RingBenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ring-bench", abstract: "Measures the ring on this machine.", version: Software.version,
        subcommands: [
            AllCommand.self, BandwidthCommand.self, DecodeCommand.self, PrefillCommand.self, RingCommand.self,
            BatchCommand.self, HopCommand.self, StepCommand.self, TokenizerCommand.self, PrefixCommand.self,
            PerplexityCommand.self, LogitsCommand.self,
        ])
}
