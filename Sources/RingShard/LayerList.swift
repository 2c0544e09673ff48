// The layers a shard holds, as `-l` writes them.

import Wire

/// A set of layer indices, read from `[0,1,2]`, `0-17,36-53` or a mixture of both.
public struct LayerList: Equatable, Sendable {
    /// Ascending, without gaps inside a range, without neighbors that touch.
    public let ranges: [ClosedRange<UInt32>]

    /// Every layer, ascending.
    public var layers: [Int] { ranges.flatMap { $0.map(Int.init) } }

    /// All layers of a model of `layerCount` layers.
    public init(all layerCount: Int) {
        ranges = layerCount > 0 ? [0...UInt32(layerCount - 1)] : []
    }

    /// - Throws: ``LayerListError`` naming the part that cannot be read.
    public init(parsing text: String) throws(LayerListError) {
        var body = Substring(text.filter { !$0.isWhitespace })
        if body.first == "[" {
            guard body.last == "]", body.count >= 2 else { throw .unreadable(text, part: text) }
            body = body.dropFirst().dropLast()
        }
        var parsed: [ClosedRange<UInt32>] = []
        for part in body.split(separator: ",", omittingEmptySubsequences: false) {
            let bounds = part.split(separator: "-", omittingEmptySubsequences: false).map { UInt32($0) }
            guard let first = bounds.first ?? nil, let last = bounds.last ?? nil, bounds.count <= 2, first <= last
            else {
                throw .unreadable(text, part: String(part))
            }
            guard Int(last) < WireLimits.layersMax else { throw .tooLarge(last) }
            parsed.append(first...last)
        }
        parsed.sort { $0.lowerBound < $1.lowerBound }
        var merged: [ClosedRange<UInt32>] = []
        for range in parsed {
            if let previous = merged.last, range.lowerBound <= previous.upperBound { throw .repeated(range.lowerBound) }
            if let previous = merged.last, range.lowerBound == previous.upperBound + 1 {
                merged[merged.count - 1] = previous.lowerBound...range.upperBound
            } else {
                merged.append(range)
            }
        }
        ranges = merged
    }
}

extension LayerList: CustomStringConvertible {
    public var description: String {
        ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",")
    }
}

/// What is wrong with a list of layers.
public enum LayerListError: Error, Equatable, CustomStringConvertible {
    case unreadable(String, part: String)
    case tooLarge(UInt32)
    case repeated(UInt32)

    public var description: String {
        switch self {
        case .unreadable(let text, let part):
            "cannot read '\(part)' in the layer list '\(text)'; write indices and ranges such as \"[0,1,2]\" or 0-17,36-53"
        case .tooLarge(let layer):
            "layer \(layer) is beyond the largest index possible, \(WireLimits.layersMax - 1)"
        case .repeated(let layer):
            "layer \(layer) is named twice in the layer list"
        }
    }
}
