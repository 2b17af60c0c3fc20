import java.io.ByteArrayOutputStream;
import java.io.BufferedReader;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.Arrays;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/**
 * Connects as devices, with their keystores and the JDK alone: JSSE for TLS, MQTT 3.1.1 (or 3.1) by hand.
 *
 * <pre>STORE_PASSWORD=secret java MqttDevice.java</pre>
 *
 * Each line of standard input is a connection: {@code HOST PORT KEYSTORE TRUSTSTORE CLIENTID VERSION}. The
 * stores are PKCS#12 or JKS; without keystore ({@code -}) there is no client certificate, and
 * {@code default default} means the stores that the system properties javax.net.ssl.* name. One more word,
 * {@code unnamed}, takes a server of any name. A device that is
 * accepted publishes with QoS 1 and subscribes. The answer is a line of standard output: {@code accepted},
 * {@code refused} with the code of the CONNACK, {@code files} with why a store does not open, or
 * {@code failed} with what Java says of TLS and the network. The exit code is that of the last line: 0
 * accepted, 1 refused, 2 anything else.
 */
public final class MqttDevice {
    private static final int PATIENCE = 10_000;
    private static final int CONNECT = 0x10;
    private static final int CONNACK = 0x20;
    private static final int PUBLISH_QOS_1 = 0x32;
    private static final int PUBACK = 0x40;
    private static final int SUBSCRIBE = 0x82;
    private static final int SUBACK = 0x90;
    private static final int DISCONNECT = 0xe0;

    public static void main(String[] args) throws IOException {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        String answer = "";
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            answer = connect(line.split(" "));
            System.out.println(answer.replace('\n', ' '));
            System.out.flush();
        }
        System.exit(answer.equals("accepted") ? 0 : answer.startsWith("refused ") ? 1 : 2);
    }

    private static String connect(String[] words) {
        SSLContext context;
        try {
            context = words[2].equals("default") ? SSLContext.getDefault() : context(words[2], words[3]);
        } catch (IOException | GeneralSecurityException e) {
            return "files " + e.getMessage();
        }
        boolean named = words.length == 6;
        try (SSLSocket socket = socket(context, words[0], Integer.parseInt(words[1]), named)) {
            socket.setSoTimeout(PATIENCE);
            socket.startHandshake();
            return session(socket, words[4], words[5].equals("3.1"));
        } catch (IOException e) {
            return "failed " + e.getMessage();
        }
    }

    private static SSLContext context(String keystore, String truststore)
            throws IOException, GeneralSecurityException {
        char[] password = System.getenv("STORE_PASSWORD").toCharArray();
        SSLContext context = SSLContext.getInstance("TLS");
        TrustManagerFactory servers = TrustManagerFactory.getInstance("PKIX");
        servers.init(KeyStore.getInstance(new File(truststore), password));
        if (keystore.equals("-")) {
            context.init(null, servers.getTrustManagers(), null);
            return context;
        }
        KeyManagerFactory device = KeyManagerFactory.getInstance("SunX509");
        device.init(KeyStore.getInstance(new File(keystore), password), password);
        context.init(device.getKeyManagers(), servers.getTrustManagers(), null);
        return context;
    }

    private static SSLSocket socket(SSLContext context, String host, int port, boolean named)
            throws IOException {
        SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(host, port);
        if (named) {
            SSLParameters parameters = socket.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            socket.setSSLParameters(parameters);
        }
        return socket;
    }

    private static String session(SSLSocket socket, String clientId, boolean old) throws IOException {
        DataInputStream in = new DataInputStream(socket.getInputStream());
        DataOutputStream out = new DataOutputStream(socket.getOutputStream());
        send(out, CONNECT, body -> {
            body.writeUTF(old ? "MQIsdp" : "MQTT");
            body.writeByte(old ? 3 : 4);
            body.writeByte(2); // clean session
            body.writeShort(60); // keep-alive, in seconds
            body.writeUTF(clientId);
        });
        int code = receive(in, CONNACK, 2)[1];
        if (code != 0) {
            return "refused " + code;
        }
        send(out, PUBLISH_QOS_1, body -> {
            body.writeUTF("s/us");
            body.writeShort(1);
            body.writeBytes("100,A device in Java,c8y_Java");
        });
        expect(new byte[] {0, 1}, receive(in, PUBACK, 2));
        send(out, SUBSCRIBE, body -> {
            body.writeShort(2);
            body.writeUTF("s/ds");
            body.writeByte(0);
            body.writeUTF("s/e");
            body.writeByte(0);
        });
        expect(new byte[] {0, 2, 0, 0}, receive(in, SUBACK, 4));
        send(out, DISCONNECT, body -> {});
        return "accepted";
    }

    private interface Body {
        void write(DataOutputStream body) throws IOException;
    }

    /** Sends a packet of at most 127 octets behind its fixed header. */
    private static void send(DataOutputStream out, int kind, Body content) throws IOException {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        content.write(new DataOutputStream(body));
        if (body.size() > 127) {
            throw new IOException("the packet is longer than this program needs");
        }
        out.write(kind);
        out.write(body.size());
        body.writeTo(out);
        out.flush();
    }

    /** What is behind the fixed header of the next packet, which has to be of this kind and length. */
    private static byte[] receive(DataInputStream in, int kind, int length) throws IOException {
        expect(new byte[] {(byte) kind, (byte) length}, new byte[] {in.readByte(), in.readByte()});
        byte[] body = new byte[length];
        in.readFully(body);
        return body;
    }

    private static void expect(byte[] wanted, byte[] came) throws IOException {
        if (!Arrays.equals(wanted, came)) {
            throw new IOException(Arrays.toString(came) + " came, not " + Arrays.toString(wanted));
        }
    }
}
