// Unicode normalization form C over UTF-8 bytes, with a quick way past text that is in it already.

// The standard library's own composition, which is not public yet. Foundation's
// `precomposedStringWithCanonicalMapping` will not do on Linux: it leaves a Hangul syllable and a final consonant
// uncomposed in places, and takes time with the square of the text's length where the text is decomposed.
@_spi(_Unicode) import Swift

/// Normalization form C.
enum CanonicalComposition {
    /// Text is normalized in blocks of at least this size, cut where composition cannot reach across, so that memory
    /// stays small whatever the text. Large enough for the cost of a call to vanish.
    private static let blockBytes = 4096

    /// Longest run of characters that may compose with or be reordered among their neighbours, in scalars. The
    /// standard library sorts such a run in time with the square of its length; a longer one is normalized in parts.
    /// No writing system comes near: Unicode's stream-safe text format allows 30.
    private static let unstableRunMax = 1024

    /// Appends the normal form of `text` (valid UTF-8), unless the text is in normal form for certain: then nothing
    /// is appended and false returned.
    static func appendNormalForm(
        of text: UnsafeBufferPointer<UInt8>, to output: ScratchBuffer<UInt8>
    ) -> Bool {
        var scanner = Scanner(text: text)
        guard scanner.skipStable() else { return false }
        // Everything up to here is stable; only the scalar right before the first unstable one can be changed by it.
        var blockStart = scanner.previousStart
        output.append(contentsOf: UnsafeBufferPointer(rebasing: text[..<blockStart]))
        while blockStart < text.count {
            let isUnstable = scanner.scanBlock(from: blockStart, bytes: blockBytes, unstableRunMax: unstableRunMax)
            let block = UnsafeBufferPointer(rebasing: text[blockStart..<scanner.position])
            if isUnstable {
                for scalar in String(decoding: block, as: UTF8.self)._nfc {
                    for unit in scalar.utf8 { output.append(unit) }
                }
            } else {
                output.append(contentsOf: block)
            }
            blockStart = scanner.position
        }
        return true
    }

    /// Whether a scalar stays as it is beside any neighbour that is stable too, and nothing before it reaches across
    /// it. Says no for some scalars of which it is true.
    static func isStable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x300, 0x400..<0x483, 0x2010..<0x2070, 0x3041..<0x3097, 0x30A1..<0x30FF, 0x3400..<0xA000,
            0xAC00..<0xD7A4, 0x1F300..<0x1FB00:
            // Latin, Cyrillic, dashes and quotation marks, kana, Han, Hangul syllables, emoji.
            return true
        case 0x1100..<0x1200, 0x16D63..<0x16D6B:
            // Hangul letters and Kirat Rai vowels compose although they are letters.
            return false
        default:
            let properties = scalar.properties
            return properties.canonicalCombiningClass == .notReordered && !properties.isFullCompositionExclusion
                && properties.generalCategory != .nonspacingMark && properties.generalCategory != .spacingMark
        }
    }

    /// Walks over the scalars of a text.
    private struct Scanner {
        let text: UnsafeBufferPointer<UInt8>
        /// Where the next scalar starts.
        var position = 0
        /// Where the scalar before it starts.
        var previousStart = 0

        init(text: UnsafeBufferPointer<UInt8>) {
            self.text = text
        }

        /// Moves to the first unstable scalar, with `previousStart` at the one before it. False when there is none.
        mutating func skipStable() -> Bool {
            while position < text.count {
                // Up to U+02FF, where every lead byte is below 0xCC, all is stable.
                if text[position] < 0x80 {
                    previousStart = position
                    position += 1
                } else if text[position] < 0xCC {
                    previousStart = position
                    position += 2
                } else {
                    let (scalar, byteCount) = scalar(at: position)
                    guard CanonicalComposition.isStable(scalar) else { return true }
                    previousStart = position
                    position += byteCount
                }
            }
            return false
        }

        /// Moves from `start` to a place at least `bytes` further on (or the text's end) that no composition reaches
        /// across: in front of a stable scalar. Returns whether an unstable scalar was passed.
        mutating func scanBlock(from start: Int, bytes: Int, unstableRunMax: Int) -> Bool {
            var isUnstable = false
            var run = 0
            position = start
            while position < text.count {
                let (scalar, byteCount) = scalar(at: position)
                if CanonicalComposition.isStable(scalar) {
                    if position - start >= bytes { break }
                    run = 0
                } else {
                    if run == unstableRunMax { break }
                    isUnstable = true
                    run += 1
                }
                position += byteCount
            }
            return isUnstable
        }

        /// The scalar at an offset of valid UTF-8.
        private func scalar(at offset: Int) -> (Unicode.Scalar, byteCount: Int) {
            let lead = UInt32(text[offset])
            func continuation(_ index: Int) -> UInt32 { UInt32(text[offset + index] & 0x3F) }
            let value: UInt32
            let byteCount: Int
            switch lead {
            case ..<0x80: (value, byteCount) = (lead, 1)
            case ..<0xE0: (value, byteCount) = ((lead & 0x1F) << 6 | continuation(1), 2)
            case ..<0xF0: (value, byteCount) = ((lead & 0x0F) << 12 | continuation(1) << 6 | continuation(2), 3)
            default:
                value = (lead & 0x07) << 18 | continuation(1) << 12 | continuation(2) << 6 | continuation(3)
                byteCount = 4
            }
            return (Unicode.Scalar(value) ?? "\u{FFFD}", byteCount)
        }
    }
}
