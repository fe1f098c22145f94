import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The job on Kafka Streams, in its fastest sane settings: the Processor API, one thread, the in-memory store with its
 * default record cache (10 MB) and its changelog, commits each second, at least once, no compression. Events are read by
 * Jackson's streaming parser, which stops at the last field it needs; rows are packed by hand. The serial collector with a
 * fixed heap and a large young generation costs least on one thread (`benchmarks/engines.py` starts it). In a run of a million
 * events about a third of the processor time is the compiler's, which is over then: the second half of a run tells the rest.
 */
public class Job {
    static final double UP = 8.0;
    static final double DOWN = 6.0;
    static final double HALF_LIFE_MS = 7 * 86_400_000.0;

    static final class Row {
        long landmark;
        long newest;
        double total;
        boolean hot;
        int count;
        final Map<String, Double> tags = new HashMap<>();
    }

    static final class Event {
        String timestamp;
        String tag;
        double where;
        double what;
    }

    public static void main(String[] args) {
        String kafka = System.getenv("KAFKA");
        Properties properties = new Properties();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, System.getenv("APP"));
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, kafka);
        properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
        properties.put(StreamsConfig.STATE_DIR_CONFIG, System.getenv("STATE"));
        properties.put("auto.offset.reset", "earliest");

        Topology topology = new Topology();
        topology.addSource("in", Serdes.ByteArray().deserializer(), Serdes.ByteArray().deserializer(), System.getenv("JOB"));
        topology.addProcessor("count", Count::new, "in");
        topology.addStateStore(
                Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore("visitors"), Serdes.ByteArray(), new RowSerde())
                        .withCachingEnabled(),
                "count");
        topology.addSink(
                "out", System.getenv("OUTPUT"), Serdes.ByteArray().serializer(), Serdes.ByteArray().serializer(), "count");

        KafkaStreams streams = new KafkaStreams(topology, properties);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    static final class Count implements Processor<byte[], byte[], byte[], byte[]> {
        private final JsonFactory json = new JsonFactory();
        private final Map<String, Long> minutes = new HashMap<>();
        private ProcessorContext<byte[], byte[]> context;
        private KeyValueStore<byte[], Row> visitors;

        @Override
        public void init(ProcessorContext<byte[], byte[]> context) {
            this.context = context;
            this.visitors = context.getStateStore("visitors");
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            Event event = read(record.value());
            long t = millis(event.timestamp);
            Row row = visitors.get(record.key());
            if (row == null) {
                row = new Row();
                row.landmark = t;
                row.newest = t;
            }
            row.newest = Math.max(row.newest, t);
            double scale = Math.pow(2, (row.newest - row.landmark) / HALF_LIFE_MS);
            if (row.hot && row.total / scale < DOWN) {
                row.hot = false;
            }
            double factor = t == row.newest ? scale : Math.pow(2, (t - row.landmark) / HALF_LIFE_MS);
            double weight = event.where * event.what * factor;
            row.tags.merge(event.tag, weight, Double::sum);
            row.total += weight;
            double score = row.total / scale;
            if (!row.hot && score >= UP) {
                row.hot = true;
                row.count++;
                String visitor = new String(record.key(), StandardCharsets.UTF_8);
                String output = "{\"visitor\":\"" + visitor + "\",\"count\":" + row.count + ",\"to\":\"hot\",\"score\":" + score
                        + ",\"at\":" + row.newest + "}";
                context.forward(record.withValue(output.getBytes(StandardCharsets.UTF_8)));
            }
            visitors.put(record.key(), row);
        }

        private Event read(byte[] value) {
            Event event = new Event();
            try (JsonParser parser = json.createParser(value)) {
                parser.nextToken();
                while (parser.nextToken() == JsonToken.FIELD_NAME) {
                    String name = parser.currentName();
                    parser.nextToken();
                    if (name.equals("timestamp")) {
                        event.timestamp = parser.getText();
                    } else if (name.equals("properties")) {
                        while (parser.nextToken() == JsonToken.FIELD_NAME) {
                            String property = parser.currentName();
                            parser.nextToken();
                            switch (property) {
                                case "tag" -> event.tag = parser.getText();
                                case "where" -> event.where = parser.getDoubleValue();
                                case "what" -> event.what = parser.getDoubleValue();
                                default -> parser.skipChildren();
                            }
                        }
                    } else {
                        parser.skipChildren();
                    }
                    if (event.timestamp != null && event.tag != null && event.what != 0) {
                        break;
                    }
                }
            } catch (java.io.IOException error) {
                throw new java.io.UncheckedIOException(error);
            }
            return event;
        }

        private long millis(String text) {
            String minute = text.substring(0, 16);
            Long base = minutes.get(minute);
            if (base == null) {
                base = java.time.Instant.parse(minute + ":00Z").toEpochMilli();
                minutes.put(minute, base);
            }
            return base + Integer.parseInt(text, 17, 19, 10) * 1000L + Integer.parseInt(text, 20, 23, 10);
        }
    }

    static final class RowSerde implements Serde<Row> {
        @Override
        public Serializer<Row> serializer() {
            return (topic, row) -> {
                if (row == null) {
                    return null;
                }
                ByteBuffer out = ByteBuffer.allocate(32 + row.tags.size() * 16);
                out.putLong(row.landmark).putLong(row.newest).putDouble(row.total);
                out.put((byte) (row.hot ? 1 : 0)).putInt(row.count).put((byte) row.tags.size());
                row.tags.forEach((tag, weight) -> {
                    byte[] name = tag.getBytes(StandardCharsets.ISO_8859_1);
                    out.put((byte) name.length).put(name).putDouble(weight);
                });
                byte[] bytes = new byte[out.position()];
                out.flip().get(bytes);
                return bytes;
            };
        }

        @Override
        public Deserializer<Row> deserializer() {
            return (topic, bytes) -> {
                if (bytes == null) {
                    return null;
                }
                ByteBuffer in = ByteBuffer.wrap(bytes);
                Row row = new Row();
                row.landmark = in.getLong();
                row.newest = in.getLong();
                row.total = in.getDouble();
                row.hot = in.get() == 1;
                row.count = in.getInt();
                int tags = in.get();
                for (int i = 0; i < tags; i++) {
                    byte[] name = new byte[in.get()];
                    in.get(name);
                    row.tags.put(new String(name, StandardCharsets.ISO_8859_1), in.getDouble());
                }
                return row;
            };
        }
    }
}
