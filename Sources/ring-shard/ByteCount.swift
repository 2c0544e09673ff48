// Sizes of memory as people write them.

import ArgumentParser

/// Such as `512MiB`, `2GiB`, `1.5GB` or a plain number of bytes.
struct ByteCount: Equatable, ExpressibleByArgument {
    let bytes: Int

    private static let units: [(suffix: String, bytes: Double)] = [
        ("KiB", 1024), ("MiB", 1_048_576), ("GiB", 1_073_741_824), ("TiB", 1_099_511_627_776),
        ("kB", 1e3), ("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("B", 1), ("", 1),
    ]

    init?(argument: String) {
        for unit in Self.units where argument.hasSuffix(unit.suffix) {
            guard let number = Double(argument.dropLast(unit.suffix.count)), number > 0 else { continue }
            let bytes = number * unit.bytes
            // Beyond 2⁶⁰ it is a slip of the pen.
            guard bytes < 1_152_921_504_606_846_976 else { return nil }
            self.bytes = Int(bytes)
            return
        }
        return nil
    }
}
